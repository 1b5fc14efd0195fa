import type { Random } from '@quorate/base';

/** Something that reads bytes from outside, with what must hold for any bytes. */
export interface Target {
  readonly name: string;
  /** Files whose coverage says that an input is new: parts of their paths below `packages/`. */
  readonly watches: readonly string[];
  readonly inputBytesMax: number;
  /** Inputs that the tests play: a few seconds' worth. */
  readonly testRuns: number;
  /** Most bytes of memory that one input may take, beside what the engine itself does. */
  readonly memoryBytesMax?: number;
  /** Words of its language, for mutations of text. */
  readonly words?: readonly Uint8Array[];
  /** Why it cannot run here; undefined when it can. */
  missing?(): string | undefined;
  /** What mutation begins from; the same for the same random numbers. */
  seeds(random: Random): Promise<Uint8Array[]>;
  /** A change that knows the format; the engine mixes it with changes that do not. */
  mutate?(input: Uint8Array, random: Random): Uint8Array;
  /**
   * Reads the input and checks what it got.
   * @returns how it went in a word (`ok`, or the code of the typed error), for the totals.
   * @throws whatever must not be thrown, and {@link BrokenRule}
   */
  run(input: Uint8Array): Promise<string> | string;
}

/** What was read is not what it has to be. */
export class BrokenRule extends Error {
  override readonly name = 'BrokenRule';
}

export function rule(holds: boolean, what: string): asserts holds {
  if (!holds) throw new BrokenRule(what);
}

/** The code of an error that `isTyped` knows; everything else is thrown on. */
export function codeOf(error: unknown, isTyped: (error: unknown) => boolean): string {
  if (!isTyped(error)) throw error;
  return String((error as { code?: string }).code ?? (error as Error).name);
}
