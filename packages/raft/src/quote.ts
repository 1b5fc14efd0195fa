const escapes: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Bytes as a quoted string: text as it is, what cannot be printed or is not UTF-8 escaped. */
export function quote(bytes: Uint8Array): string {
  let text = '"';
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length === 0) {
      text += `\\x${(bytes[i++] as number).toString(16).padStart(2, '0')}`;
      continue;
    }
    text += quoteCodePoint(decodeSequence(bytes, i, length));
    i += length;
  }
  return `${text}"`;
}

function quoteCodePoint(codePoint: number): string {
  const char = String.fromCodePoint(codePoint);
  const short = escapes[char];
  if (short !== undefined) return short;
  if (printable.test(char)) return char;
  const digits = codePoint.toString(16);
  if (codePoint < 0x80) return `\\x${digits.padStart(2, '0')}`;
  return codePoint < 0x1_0000 ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`;
}

/** Bytes of the UTF-8 sequence at `start`; 0 when it is none (RFC 3629: no overlong forms, no surrogates). */
function sequenceLength(bytes: Uint8Array, start: number): number {
  const first = bytes[start] as number;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  for (let i = 1; i < length; i++) {
    const byte = bytes[start + i];
    if (byte === undefined || (byte & 0xc0) !== 0x80) return 0;
  }
  const second = bytes[start + 1] ?? 0;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  return first === 0xf4 && second > 0x8f ? 0 : length;
}

function decodeSequence(bytes: Uint8Array, start: number, length: number): number {
  const first = bytes[start] as number;
  if (length === 1) return first;
  let codePoint = first & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) codePoint = (codePoint << 6) | ((bytes[start + i] as number) & 0x3f);
  return codePoint;
}
