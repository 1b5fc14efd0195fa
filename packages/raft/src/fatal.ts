import { InvariantError } from './assert.ts';
import type { RaftLogger } from './logger.ts';

/** Logs a broken invariant and throws it: going on could lose or fork the log. */
export function fatal(logger: RaftLogger, text: string): never {
  logger.fatal?.(text);
  throw new InvariantError(text);
}
