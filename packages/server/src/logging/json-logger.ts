import type { LogFields, Logger, LogLevel } from '@quorate/base';
import { consoleLine, jsonLine } from './line-format.ts';
import { openOutput } from './outputs.ts';
import { LogSampler } from './sampler.ts';

/** When a log file is put aside, and what becomes of those put aside. */
export interface LogRotation {
  readonly sizeMegabytesMax: number;
  /** 0: however old. */
  readonly ageDaysMax: number;
  /** 0: however many. */
  readonly backupsMax: number;
  /** The time in a backup's name; else in UTC. */
  readonly inLocalTime: boolean;
  readonly compresses: boolean;
}

export interface LoggerOptions {
  readonly level: string;
  readonly format: 'json' | 'console';
  /** `default`, `stderr`, `stdout`, `systemd/journal` or file paths. */
  readonly outputs: readonly string[];
  /** Of the file among the outputs. */
  readonly rotation?: LogRotation;
}

/** The logger of a program: it can say that the program ends. */
export interface ProgramLogger extends Logger {
  /** Only logs: to end is the caller's. */
  fatal(message: string, fields?: LogFields): void;
  /** Resolves when all that was logged has left this process. */
  flush(): Promise<void>;
}

export type LineLevel = LogLevel | 'fatal';

const order: Readonly<Record<string, number>> = { debug: 0, info: 1, warn: 2, error: 3, dpanic: 4, panic: 5, fatal: 6 };

/**
 * JSON lines (or tab separated columns) in etcd's names: level, ts, caller, msg, then fields; a stack trace with errors. Of lines with the
 * same text within a second those after the hundredth are thinned out.
 * @param callerName instead of the place in the code that logs.
 * @throws RangeError for an unknown level, the file system's errors for outputs that cannot be opened.
 */
export function createLogger(options: LoggerOptions, callerName?: string): ProgramLogger {
  const threshold = order[options.level];
  if (threshold === undefined) throw new RangeError(`unrecognized level: "${options.level}"`);
  const names = options.outputs.length === 0 ? ['default'] : [...new Set(options.outputs)];
  const outputs = names.map((name) => openOutput(name, options.rotation));
  const sampler = new LogSampler();
  const format = options.format === 'console' ? consoleLine : jsonLine;
  const writer = (level: LineLevel) => {
    const write = (message: string, fields?: LogFields): void => {
      if ((order[level] as number) < threshold) return;
      const now = new Date();
      if (!sampler.takes(level, message, now.getTime())) return;
      const { caller, stack } = whereFrom(write, level);
      const line = format({ level, now, caller: callerName ?? caller, message, fields, stack });
      for (const output of outputs) output.write(line, level);
    };
    return write;
  };
  return {
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    fatal: writer('fatal'),
    flush: async () => {
      for (const output of outputs) await output.flush();
    },
  };
}

/** The place that called `write` as `folder/file.js:line`; of errors the whole way there. */
function whereFrom(write: unknown, level: LineLevel): { readonly caller: string; readonly stack?: string } {
  const isBad = level === 'error' || level === 'fatal';
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = isBad ? 20 : 1;
  Error.captureStackTrace(holder, write as () => void);
  Error.stackTraceLimit = limit;
  const [, ...frames] = (holder.stack ?? '').split('\n');
  const place = /([^/\\]+[/\\][^/\\]+:\d+):\d+\)?$/.exec(frames[0] ?? '');
  const caller = place?.[1] ?? 'unknown';
  return isBad ? { caller, stack: frames.map((frame) => frame.trim()).join('\n') } : { caller };
}
