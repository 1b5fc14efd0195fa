import { InvariantError } from '../../assert.ts';

/** For checks that run all the time, where the text of an `assert` would be made each time. */
export function broken(text: string): never {
  throw new InvariantError(text);
}
