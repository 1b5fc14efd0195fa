/**
 * Where a node tells what it does. A level whose method is missing is off: its text is then never made, so it costs
 * nothing. A method may also be a getter, to switch a level while running.
 */
export interface RaftLogger {
  readonly debug?: ((text: string) => void) | undefined;
  readonly info?: ((text: string) => void) | undefined;
  readonly warn?: ((text: string) => void) | undefined;
  readonly error?: ((text: string) => void) | undefined;
  /** A broken invariant; an `InvariantError` with the same text is thrown right after it. */
  readonly fatal?: ((text: string) => void) | undefined;
}

/** Drops everything. */
export const silentLogger: RaftLogger = {};
