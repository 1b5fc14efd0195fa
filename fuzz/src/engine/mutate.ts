import { concatBytes, copyBytes, nextBelow, type Random } from '@quorate/base';

/** Numbers at which readers go wrong. */
const edges = [0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, 4095, 4096, 16_383, 16_384, 32_767];
const wideEdges = [0xffff, 0x1_0000, 0xff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
const sectorBytes = 512;

export interface Mutator {
  readonly random: Random;
  readonly inputBytesMax: number;
  readonly words: readonly Uint8Array[];
  /** Another input of the corpus. */
  other(): Uint8Array;
}

/** One to eight changes that know nothing of the format. */
export function mutateBytes(input: Uint8Array, mutator: Mutator): Uint8Array {
  let bytes = copyBytes(input);
  for (let count = 1 + nextBelow(mutator.random, 1 << nextBelow(mutator.random, 4)); count > 0; count--) {
    bytes = change(bytes, mutator);
  }
  return bytes.length > mutator.inputBytesMax ? bytes.subarray(0, mutator.inputBytesMax) : bytes;
}

function change(bytes: Uint8Array, mutator: Mutator): Uint8Array {
  const { random } = mutator;
  const { length } = bytes;
  if (length === 0) return Uint8Array.of(random.nextUint32());
  const at = nextBelow(random, length);
  switch (nextBelow(random, 12)) {
    case 0:
      bytes[at] = (bytes[at] as number) ^ (1 << nextBelow(random, 8));
      return bytes;
    case 1:
      bytes[at] = random.nextUint32();
      return bytes;
    case 2:
      bytes[at] = (bytes[at] as number) + nextBelow(random, 9) - 4;
      return bytes;
    case 3:
    case 4:
      return putNumber(bytes, at, random);
    case 5:
      return splice(bytes, at, span(random, length - at), []);
    case 6: {
      const from = nextBelow(random, length);
      return splice(bytes, at, 0, [copyBytes(bytes, from, from + span(random, length - from))]);
    }
    case 7: {
      const fresh = Uint8Array.from({ length: 1 + nextBelow(random, 8) }, () => random.nextUint32());
      return splice(bytes, at, 0, [fresh]);
    }
    case 8: {
      const other = mutator.other();
      const from = nextBelow(random, other.length + 1);
      const piece = other.subarray(from, from + span(random, other.length - from));
      return splice(bytes, at, nextBelow(random, 2) * Math.min(piece.length, length - at), [piece]);
    }
    case 9:
      return bytes.slice(0, at);
    case 10: {
      const start = at - (at % sectorBytes);
      bytes.fill(nextBelow(random, 4) === 0 ? 0xff : 0, start, Math.min(length, start + sectorBytes));
      return bytes;
    }
    default: {
      const word = mutator.words[nextBelow(random, mutator.words.length)];
      if (word === undefined) return putNumber(bytes, at, random);
      return splice(bytes, at, nextBelow(random, 2) * Math.min(word.length, length - at), [word]);
    }
  }
}

/** Mostly short, at times as long as it gets. */
function span(random: Random, most: number): number {
  if (most <= 0) return 0;
  return 1 + nextBelow(random, nextBelow(random, 3) === 0 ? most : Math.min(most, 16));
}

function splice(bytes: Uint8Array, at: number, remove: number, pieces: readonly Uint8Array[]): Uint8Array {
  return concatBytes([bytes.subarray(0, at), ...pieces, bytes.subarray(at + remove)]);
}

/** A number at an edge, in any width and byte order. */
function putNumber(bytes: Uint8Array, at: number, random: Random): Uint8Array {
  const all = nextBelow(random, 3) === 0 ? wideEdges : edges;
  const value = (all[nextBelow(random, all.length)] as number) + nextBelow(random, 3) - 1;
  const width = [1, 2, 4, 8][nextBelow(random, 4)] as number;
  const isLittle = nextBelow(random, 2) === 0;
  for (let i = 0; i < width && at + i < bytes.length; i++) {
    const place = isLittle ? i : width - 1 - i;
    bytes[at + i] = place < 6 ? Math.floor(value / 256 ** place) & 0xff : value < 0 ? 0xff : 0;
  }
  return bytes;
}
