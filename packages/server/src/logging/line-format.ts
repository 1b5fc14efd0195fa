import type { LogFields } from '@quorate/base';
import type { LineLevel } from './json-logger.ts';

export interface LogLine {
  readonly level: LineLevel;
  readonly now: Date;
  readonly caller: string;
  readonly message: string;
  readonly fields: LogFields | undefined;
  readonly stack?: string | undefined;
}

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

/** Bigints (ids) are written as lower-case hex strings, errors by their message. */
function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString(16);
  return value instanceof Error ? value.message : value;
}

export function jsonLine(line: LogLine): string {
  const { level, now, caller, message, fields, stack } = line;
  const head = { level, ts: formatLogTime(now), caller, msg: message };
  const trace = stack === undefined || fields?.stacktrace !== undefined ? {} : { stacktrace: stack };
  return `${JSON.stringify({ ...head, ...fields, ...trace }, plain)}\n`;
}

/** The same in columns, the fields as JSON with a space after each colon and comma; the stack trace below. */
export function consoleLine(line: LogLine): string {
  const { level, now, caller, message, fields, stack } = line;
  const { stacktrace = stack, ...shown } = fields ?? {};
  const columns = [formatLogTime(now), level, caller, message];
  if (Object.keys(shown).length > 0) columns.push(spaced(shown));
  return `${columns.join('\t')}\n${stacktrace === undefined ? '' : `${stacktrace}\n`}`;
}

/** Line ends outside of strings are the indentation's alone: JSON escapes those inside. */
function spaced(fields: LogFields): string {
  return JSON.stringify(fields, plain, 1)
    .replace(/([{[])\n */g, '$1')
    .replace(/\n *([}\]])/g, '$1')
    .replace(/,\n */g, ', ');
}
