import type { LogFields, Logger, LogLevel } from '@quorate/base';
import pino from 'pino';

export interface LoggerOptions {
  readonly level: string;
  readonly format: 'json' | 'console';
  /** `default`, `stderr`, `stdout` or file paths. */
  readonly outputs: readonly string[];
}

const pinoLevels: Readonly<Record<string, string>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
  dpanic: 'fatal',
  panic: 'fatal',
  fatal: 'fatal',
};

/** `2006-01-02T15:04:05.000000+0200`, as etcd writes it. */
export function formatLogTime(now: Date): string {
  const offset = -now.getTimezoneOffset();
  const local = new Date(now.getTime() + offset * 60_000).toISOString().slice(0, -1);
  const two = (value: number) => String(value).padStart(2, '0');
  const zone =
    offset === 0
      ? 'Z'
      : `${offset < 0 ? '-' : '+'}${two(Math.trunc(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  return `${local}000${zone}`;
}

function destination(output: string): pino.DestinationStream {
  const sync = { sync: true, mkdir: false };
  if (output === 'stdout') return pino.destination({ fd: 1, ...sync });
  if (output === 'default' || output === 'stderr') return pino.destination({ fd: 2, ...sync });
  return pino.destination({ dest: output, ...sync });
}

/** Bigints (ids) are written as lower-case hex strings, errors by their message. */
function plainFields(fields: LogFields): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'bigint') plain[name] = value.toString(16);
    else plain[name] = value instanceof Error ? value.message : value;
  }
  return plain;
}

function consoleLine(level: LogLevel, message: string, caller: string, fields: LogFields | undefined): string {
  const shown = fields ? `\t${JSON.stringify(plainFields(fields))}` : '';
  return `${formatLogTime(new Date())}\t${level}\t${caller}\t${message}${shown}\n`;
}

/**
 * JSON lines (or tab separated columns) in etcd's names: level, ts, caller, msg, then fields.
 * @throws RangeError for an unknown level.
 */
export function createLogger(options: LoggerOptions, caller = 'quorate'): Logger {
  const level = pinoLevels[options.level];
  if (level === undefined) throw new RangeError(`unrecognized level: "${options.level}"`);
  const outputs = options.outputs.length === 0 ? ['default'] : options.outputs;
  const streams = outputs.map((output) => ({ stream: destination(output), level: level as pino.Level }));
  const target = streams.length === 1 ? (streams[0]?.stream as pino.DestinationStream) : pino.multistream(streams);
  const order: Readonly<Record<string, number>> = { debug: 20, info: 30, warn: 40, error: 50, fatal: 60 };
  if (options.format === 'console') {
    const write = (at: LogLevel) => (message: string, fields?: LogFields) => {
      if ((order[at] as number) >= (order[level] as number)) target.write(consoleLine(at, message, caller, fields));
    };
    return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  }
  const logger = pino(
    {
      level,
      base: { caller },
      messageKey: 'msg',
      timestamp: () => `,"ts":"${formatLogTime(new Date())}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    target,
  );
  const write = (at: LogLevel) => (message: string, fields?: LogFields) => {
    if (fields) logger[at](plainFields(fields), message);
    else logger[at](message);
  };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}
