/**
 * Where a node tells what it does. A level whose method is missing is off: its text is then never made, so it costs
 * nothing. A method may also be a getter, to switch a level while running.
 */
export interface RaftLogger {
  /** Steps of the protocol: rejected appends, probing, flow control. */
  readonly debug?: ((text: string) => void) | undefined;
  /** Changes of role, term, leader and configuration; votes; dropped proposals. */
  readonly info?: ((text: string) => void) | undefined;
  /** What should not happen often: limits that are reached, a leader that steps down since it hears of no quorum. */
  readonly warn?: ((text: string) => void) | undefined;
  /** Input that makes no sense and is ignored. */
  readonly error?: ((text: string) => void) | undefined;
  /** A broken invariant; an `InvariantError` with the same text is thrown right after it. */
  readonly fatal?: ((text: string) => void) | undefined;
}

/** Drops everything. */
export const silentLogger: RaftLogger = {};
