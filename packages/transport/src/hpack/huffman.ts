import { allocateUnsafe } from '@quorate/base';

/**
 * Code lengths in bits of the 256 byte values and of the end-of-string mark (RFC 7541 appendix B). The code is canonical: values in
 * the order of (length, value) get ascending codes, so the lengths are all there is to know.
 */
// biome-ignore format: a table
const codeLengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
] as const;

const endOfString = 256;

function canonicalCodes(): Uint32Array {
  const codes = new Uint32Array(257);
  const order = Array.from(codeLengths.keys()).sort((a, b) => lengthOf(a) - lengthOf(b) || a - b);
  let code = 0;
  let length = 0;
  for (const symbol of order) {
    code <<= lengthOf(symbol) - length;
    length = lengthOf(symbol);
    codes[symbol] = code++;
  }
  return codes;
}

function lengthOf(symbol: number): number {
  return codeLengths[symbol] as number;
}

const codes = canonicalCodes();

/**
 * The decoding tree eight bits at a time: entry `node * 256 + byte` is 0 for no such code, a leaf `symbol << 4 | bits used of this byte`,
 * or, negative, the next node.
 */
function decodingTree(): Int32Array {
  const tree = new Int32Array(256 * 256);
  let nodes = 1;
  for (let symbol = 0; symbol < endOfString; symbol++) {
    let node = 0;
    let length = lengthOf(symbol);
    const code = codes[symbol] as number;
    while (length > 8) {
      length -= 8;
      const entry = node * 256 + ((code >>> length) & 0xff);
      if (tree[entry] === 0) tree[entry] = -nodes++;
      node = -(tree[entry] as number);
    }
    const first = node * 256 + ((code << (8 - length)) & 0xff);
    tree.fill((symbol << 4) | length, first, first + (1 << (8 - length)));
  }
  return tree.slice(0, nodes * 256);
}

const tree = decodingTree();

/** How many bytes `bytes` encoded would take at most: codes of common text are 5 to 8 bits, the longest 30. */
export function huffmanEncodedLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += lengthOf(text.charCodeAt(i) & 0xff);
  return (bits + 7) >>> 3;
}

/** Writes the Huffman form of a latin1 string; returns the position behind it. The rest of the last byte is ones (section 5.2). */
export function huffmanEncode(text: string, target: Uint8Array, start: number): number {
  let position = start;
  let bits = 0;
  let bitCount = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    let length = lengthOf(symbol);
    const code = codes[symbol] as number;
    // At most 7 bits wait, so 16 more fit: longer codes go in two parts.
    if (length > 16) {
      length -= 16;
      bits = (bits << length) | (code >>> 16);
      bitCount += length;
      while (bitCount >= 8) {
        bitCount -= 8;
        target[position++] = bits >>> bitCount;
      }
      length = 16;
    }
    bits = (bits << length) | (code & 0xffff);
    bitCount += length;
    while (bitCount >= 8) {
      bitCount -= 8;
      target[position++] = bits >>> bitCount;
    }
  }
  if (bitCount > 0) target[position++] = (bits << (8 - bitCount)) | (0xff >>> bitCount);
  return position;
}

/** Grows with the longest string seen, up to what a header block may hold; used within one call only. */
let scratch = allocateUnsafe(1024);

/** What {@link huffmanDecode} left: valid until the next call. */
export function huffmanScratch(): Uint8Array {
  return scratch;
}

/**
 * Decodes `source[start, end)` into the scratch buffer.
 * @returns the decoded length, or -1 when it is not valid: an unknown code, the end-of-string mark, padding of 8 bits or more or not of ones.
 */
export function huffmanDecode(source: Uint8Array, start: number, end: number): number {
  // The shortest code has 5 bits.
  const lengthMax = (((end - start) * 8) / 5 + 1) | 0;
  if (scratch.length < lengthMax) scratch = allocateUnsafe(lengthMax * 2);
  const target = scratch;
  let length = 0;
  let node = 0;
  let bits = 0;
  let bitCount = 0;
  // Bits since the last complete symbol: what is left at the end must be padding.
  let pending = 0;
  for (let i = start; i < end; i++) {
    bits = ((bits << 8) | (source[i] as number)) & 0xffff;
    bitCount += 8;
    pending += 8;
    while (bitCount >= 8) {
      const entry = tree[node * 256 + ((bits >>> (bitCount - 8)) & 0xff)] as number;
      if (entry > 0) {
        target[length++] = entry >>> 4;
        bitCount -= entry & 15;
        pending = bitCount;
        node = 0;
      } else if (entry < 0) {
        node = -entry;
        bitCount -= 8;
      } else {
        return -1;
      }
    }
  }
  while (bitCount > 0) {
    const entry = tree[node * 256 + ((bits << (8 - bitCount)) & 0xff)] as number;
    if (entry <= 0 || (entry & 15) > bitCount) break;
    target[length++] = entry >>> 4;
    bitCount -= entry & 15;
    pending = bitCount;
    node = 0;
  }
  if (pending > 7) return -1;
  const mask = (1 << bitCount) - 1;
  return (bits & mask) === mask && pending === bitCount ? length : -1;
}
