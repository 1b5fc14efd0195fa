import type { Logger } from '@quorate/base';
import type { RaftLogger } from '@quorate/raft';

/** Raft's lines go into the member's log under their own name; debug lines only where debug is on. */
export function raftLogger(logger: Logger, debug: boolean): RaftLogger {
  const fields = { logger: 'raft' };
  return {
    debug: debug ? (text) => logger.debug(text, fields) : undefined,
    info: (text) => logger.info(text, fields),
    warn: (text) => logger.warn(text, fields),
    error: (text) => logger.error(text, fields),
    fatal: (text) => logger.error(text, fields),
  };
}
