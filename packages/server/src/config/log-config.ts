import type { LoggerOptions, LogRotation } from '../logging/json-logger.ts';
import { SettingReader } from './config.ts';
import { type RawSettings, UsageError } from './parse.ts';

function refuse(message: string): never {
  throw new UsageError(message, 1, 'verify');
}

const streams = ['default', 'stderr', 'stdout'];
export const logLevels = ['debug', 'info', 'warn', 'error', 'dpanic', 'panic', 'fatal'];

/** What the settings say about logs. Checked before everything else, so that the rest is refused through the logger. @throws UsageError */
export function readLogConfig(settings: RawSettings): LoggerOptions {
  const read = new SettingReader(settings);
  const logger = read.text('logger');
  if (logger === 'capnslog') refuse('--logger=capnslog is removed in v3.5');
  if (logger !== 'zap') refuse(`unknown logger option "${logger}"`);
  const given = read.list('log-outputs');
  // Those of a file keep their order.
  if (read.source('log-outputs') !== 'file') given.sort();
  const outputs = given.length === 0 ? ['default'] : [...new Set(given)];
  if (outputs.length > 1 && outputs.includes('default')) refuse('multi logoutput for "default" is not supported yet');
  const rotation = read.bool('enable-log-rotation')
    ? readRotation(outputs, read.text('log-rotation-config-json'))
    : undefined;
  const level = read.text('log-level').toLowerCase() || 'info';
  // Go ends with a panic there.
  if (!logLevels.includes(level)) {
    throw new UsageError(`panic: unrecognized level: ${JSON.stringify(read.text('log-level'))}`, 2, 'plain');
  }
  const format = read.text('log-format') || 'json';
  if (format !== 'json' && format !== 'console')
    refuse(`unknown log format: ${format}, supported values json, console`);
  if (outputs.length > 1 && outputs.includes('systemd/journal')) {
    const list = outputs.map((output) => JSON.stringify(output)).join(' ');
    refuse(
      `running with systemd/journal but other '--log-outputs' values ([${list}]) are configured with 'default'; override 'default' value with something else`,
    );
  }
  return { level, format, outputs, ...(rotation === undefined ? {} : { rotation }) };
}

const rotationKinds = {
  maxsize: 'int',
  maxage: 'int',
  maxbackups: 'int',
  localtime: 'bool',
  compress: 'bool',
} as const;

function readRotation(outputs: readonly string[], text: string): LogRotation {
  const files = outputs.filter((output) => !streams.includes(output));
  if (files.length > 1 || (outputs.length === 1 && files.length === 0)) {
    refuse('--log-outputs requires a single file path when --log-rotate-config-json is defined');
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const isCut = message.includes('end of JSON input') || Number(/position (\d+)/.exec(message)?.[1]) >= text.length;
    refuse(`improperly formatted log rotation config: ${isCut ? 'unexpected end of JSON input' : message}`);
  }
  const values: Record<string, unknown> = typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  for (const [key, kind] of Object.entries(rotationKinds)) {
    const value = values[key] ?? undefined;
    const isRight = kind === 'int' ? Number.isInteger(value) : typeof value === 'boolean';
    if (value !== undefined && !isRight) {
      refuse(
        `invalid log rotation config: json: cannot unmarshal ${typeof value} into Go struct field logRotationConfig.Logger.${key} of type ${kind}`,
      );
    }
  }
  return {
    sizeMegabytesMax: (values.maxsize as number | undefined) || 100,
    ageDaysMax: (values.maxage as number | undefined) ?? 0,
    backupsMax: (values.maxbackups as number | undefined) ?? 0,
    inLocalTime: values.localtime === true,
    compresses: values.compress === true,
  };
}
