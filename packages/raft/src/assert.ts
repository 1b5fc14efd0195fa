/** A broken invariant. It is never caught and answered: whoever sees it stops the node. */
export class InvariantError extends Error {
  /** `InvariantError`. */
  override readonly name = 'InvariantError';
}

/**
 * Checks an invariant, in tests and in production alike. Never for input from outside.
 * @throws {InvariantError} naming what was broken.
 */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantError(what);
}

/** Marks a `switch` arm that the types rule out. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`);
}
