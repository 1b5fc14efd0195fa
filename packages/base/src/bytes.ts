/** What Node's Buffer offers over Uint8Array and is much faster than a loop; absent in a browser. */
interface NativeBytes {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  latin1Write(this: Uint8Array, text: string, offset: number, length: number): number;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number;
}

interface BufferStatics {
  readonly prototype: NativeBytes;
  byteLength(text: string, encoding?: string): number;
  compare(a: Uint8Array, b: Uint8Array): number;
  allocUnsafeSlow(size: number): Uint8Array;
}

const native = (globalThis as { Buffer?: BufferStatics }).Buffer;

export const emptyBytes: Uint8Array = new Uint8Array(0);

/**
 * `size` bytes of memory of their own, whose content is undefined: the caller writes every one of them. Always a plain Uint8Array: views
 * of a Buffer cost more to make, and its `slice` does not copy.
 */
export const allocateUnsafe: (size: number) => Uint8Array = native
  ? (size) => new Uint8Array(native.allocUnsafeSlow(size).buffer)
  : (size) => new Uint8Array(size);

/** Bytewise order as in C's memcmp, a prefix before what it begins. Negative, 0 or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A copy that owns its memory, with nothing else alive behind it. */
export function copyBytes(source: Uint8Array, start = 0, end: number = source.length): Uint8Array {
  const copy = allocateUnsafe(end - start);
  copy.set(start === 0 && end === source.length ? source : source.subarray(start, end));
  return copy;
}

export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const chunk of chunks) size += chunk.length;
  const whole = allocateUnsafe(size);
  let position = 0;
  for (const chunk of chunks) {
    whole.set(chunk, position);
    position += chunk.length;
  }
  return whole;
}

/**
 * One character a byte. Such strings compare (`<`) in the bytes' own order and hash fast, so keys are kept in this form in
 * maps and indexes, at 12 bytes of overhead rather than the hundred of a typed array.
 */
export const latin1FromBytes: (bytes: Uint8Array, start?: number, end?: number) => string = native
  ? (bytes, start = 0, end = bytes.length) => native.prototype.latin1Slice.call(bytes, start, end)
  : (bytes, start = 0, end = bytes.length) => {
      let text = '';
      for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
      return text;
    };

/** Writes a latin1 string at `position`; returns the position behind it. */
export const writeLatin1: (text: string, target: Uint8Array, position: number) => number = native
  ? (text, target, position) => position + native.prototype.latin1Write.call(target, text, position, text.length)
  : (text, target, position) => {
      for (let i = 0; i < text.length; i++) target[position + i] = text.charCodeAt(i);
      return position + text.length;
    };

/** The bytes of a latin1 string. */
export function latin1ToBytes(text: string): Uint8Array {
  const bytes = allocateUnsafe(text.length);
  writeLatin1(text, bytes, 0);
  return bytes;
}

interface TextCodec {
  encode(text: string): Uint8Array;
  decode(bytes: Uint8Array): string;
}
type CodecConstructor = new (label?: string, options?: { fatal?: boolean }) => TextCodec;
const globals = globalThis as unknown as { TextEncoder: CodecConstructor; TextDecoder: CodecConstructor };
const utf8Encoder = new globals.TextEncoder();
const utf8Decoder = new globals.TextDecoder('utf-8');

export function utf8ToBytes(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** Invalid sequences become U+FFFD. */
export function utf8FromBytes(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

/** Lower-case hexadecimal. */
export function hexFromBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += (byte < 16 ? '0' : '') + byte.toString(16);
  return text;
}

/** An unsigned 64-bit big-endian integer as a number; NaN when it is not a safe integer. */
export function readUint64BE(bytes: Uint8Array, position: number): number {
  const high = readUint32BE(bytes, position);
  return high > 0x1f_ffff ? Number.NaN : high * 0x1_0000_0000 + readUint32BE(bytes, position + 4);
}

/** Writes a safe integer as 8 big-endian bytes. */
export function writeUint64BE(value: number, target: Uint8Array, position: number): void {
  writeUint32BE(Math.floor(value / 0x1_0000_0000), target, position);
  writeUint32BE(value >>> 0, target, position + 4);
}

export function readUint32BE(bytes: Uint8Array, position: number): number {
  return (
    (((bytes[position] as number) << 24) |
      ((bytes[position + 1] as number) << 16) |
      ((bytes[position + 2] as number) << 8) |
      (bytes[position + 3] as number)) >>>
    0
  );
}

export function writeUint32BE(value: number, target: Uint8Array, position: number): void {
  target[position] = value >>> 24;
  target[position + 1] = value >>> 16;
  target[position + 2] = value >>> 8;
  target[position + 3] = value;
}
