import type { AnyMessageCodec, Field } from '../codec.ts';

/** 32-bit mulberry generator, enough for tests: the same seed gives the same numbers everywhere. */
export class TestRandom {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  nextUint32(): number {
    this.state = (this.state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  below(bound: number): number {
    return Math.floor((this.nextUint32() / 0x1_0000_0000) * bound);
  }

  chance(of: number): boolean {
    return this.below(of) === 0;
  }
}

function randomBytes(random: TestRandom): Uint8Array {
  const lengths = [0, 1, 3, 20, 24, 25, 60, 127, 128, 300];
  return Uint8Array.from({ length: lengths[random.below(lengths.length)] as number }, () => random.nextUint32());
}

function randomText(random: TestRandom): string {
  const characters = ['a', '/', '\u0000', 'é', 'ß', '한', '\ufffd', '😀', '"'];
  const ascii = random.chance(2);
  let text = '';
  for (let left = random.below(random.chance(4) ? 60 : 12); left > 0; left--) {
    text += characters[random.below(ascii ? 3 : characters.length)];
  }
  return text;
}

/** Of `bits` bits at random, so that all varint lengths come up. */
function randomBits(random: TestRandom, bitsMax: number): bigint {
  const bits = BigInt(random.below(bitsMax + 1));
  const value = (BigInt(random.nextUint32()) << 32n) | BigInt(random.nextUint32());
  return BigInt.asUintN(Number(bits), value);
}

function randomScalar(random: TestRandom, field: Field): unknown {
  const negative = field.kind === 'int64' && random.chance(4);
  switch (field.kind) {
    case 'bool':
      return random.chance(2);
    case 'bytes':
      return randomBytes(random);
    case 'string':
      return randomText(random);
    case 'uint32':
      return Number(randomBits(random, 32));
    case 'enum': {
      const numbers = Object.values(field.values ?? {});
      return numbers[random.below(numbers.length)];
    }
    default: {
      const value = field.big ? randomBits(random, field.kind === 'int64' ? 63 : 64) : randomBits(random, 53);
      if (field.big) return negative ? -value : value;
      return negative && value !== 0n ? -Number(value) : Number(value);
    }
  }
}

function randomValue(random: TestRandom, field: Field, depth: number): unknown {
  return field.kind === 'message' && field.message
    ? randomMessage(random, field.message(), depth - 1)
    : randomScalar(random, field);
}

/** A message with about half of its fields set, `depth` levels of sub-messages deep. */
export function randomMessage<M extends object>(
  random: TestRandom,
  type: { create(): M; fields: readonly Field[] },
  depth = 4,
): M {
  const message = type.create() as Record<string, unknown>;
  const chosen = new Map<string, string>();
  for (const { oneof, key } of type.fields) {
    if (oneof !== undefined && (!chosen.has(oneof) || random.chance(2))) chosen.set(oneof, key);
  }
  for (const field of type.fields) {
    if (field.kind === 'message' && depth <= 0) continue;
    if (field.oneof !== undefined ? chosen.get(field.oneof) !== field.key : random.chance(2)) continue;
    message[field.key] = randomFieldValue(random, field, depth);
  }
  return message as M;
}

function randomFieldValue(random: TestRandom, field: Field, depth: number): unknown {
  if (field.label === undefined) return randomValue(random, field, depth);
  const values = Array.from({ length: random.below(4) }, () => randomValue(random, field, depth));
  return field.label === 'map' ? new Map(values.map((value) => [randomText(random), value])) : values;
}

/** Every message type in a package's namespace object. */
export function messageTypesOf(namespace: object): AnyMessageCodec[] {
  return Object.values(namespace).filter(
    (value): value is AnyMessageCodec => typeof value === 'object' && value !== null && 'fields' in value,
  );
}
