export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Values of a log line; names are etcd's own (kebab-case, unit last). */
export type LogFields = Readonly<Record<string, unknown>>;

/** One structured line a call. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Drops everything. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
