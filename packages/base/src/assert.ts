/** A broken invariant. It is never caught and answered: whoever sees it logs one line and stops the member. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/**
 * Checks an invariant in tests and in production alike. Never call it on input from outside: that gets a typed error.
 * @throws {InvariantError} naming what was broken.
 */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantError(what);
}

/** Marks a `switch` arm that the types rule out. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`);
}

/**
 * Checks a count, index or revision where it enters.
 * @throws {InvariantError} when it is not a safe integer of at least 0.
 */
export function assertCount(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new InvariantError(`${what} is not a count: ${value}`);
}
