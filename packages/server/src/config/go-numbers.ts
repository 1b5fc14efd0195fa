/** The words that Go takes for a boolean. */
export const goBooleans: Readonly<Record<string, boolean>> = {
  '1': true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  '0': false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

export type IntegerKind = 'int' | 'uint' | 'uint32';

const ranges: Readonly<Record<IntegerKind, { readonly min: bigint; readonly max: bigint }>> = {
  int: { min: -(1n << 63n), max: (1n << 63n) - 1n },
  uint: { min: 0n, max: (1n << 64n) - 1n },
  uint32: { min: 0n, max: (1n << 32n) - 1n },
};

/** Sign, then digits of one of the bases; underscores may stand between digits. */
const literal = /^([+-]?)(0[xX](?:_?[\da-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?\d)*)$/;

/** Reads an integer as Go source has it: decimal, 0x, 0o or a leading 0, 0b. */
export function readGoInteger(text: string, kind: IntegerKind): { readonly value: bigint } | 'syntax' | 'range' {
  const match = literal.exec(text);
  if (!match || (kind !== 'int' && match[1] !== '')) return 'syntax';
  const digits = (match[2] as string).replaceAll('_', '').replace(/^0(?=\d)/, '0o');
  const value = match[1] === '-' ? -BigInt(digits) : BigInt(digits);
  const { min, max } = ranges[kind];
  return value < min || value > max ? 'range' : { value };
}

/** Whether a number of a configuration file is an integer of the kind. */
export function isIntegerOf(value: number, kind: IntegerKind): boolean {
  if (!Number.isInteger(value)) return false;
  const { min, max } = ranges[kind];
  return BigInt(value) >= min && BigInt(value) <= max;
}
