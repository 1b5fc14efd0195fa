const standard = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

// Codes of both alphabets (RFC 4648, sections 4 and 5) by character; 0xff elsewhere.
const values = new Uint8Array(128).fill(0xff);
for (let i = 0; i < 64; i++) values[standard.charCodeAt(i)] = i;
values['-'.charCodeAt(0)] = 62;
values['_'.charCodeAt(0)] = 63;

/** What Node's Buffer offers over Uint8Array and is much faster than a loop (encoding 1.5 MB in 1.4 ms instead of 118, decoding it in 4 instead of 32); absent in a browser. */
interface NativeBase64 {
  base64Slice(this: Uint8Array, start: number, end: number): string;
  /** Takes both alphabets and skips what is in neither. */
  base64Write(this: Uint8Array, text: string, start: number, length: number): number;
}
const native = (globalThis as { Buffer?: { readonly prototype: NativeBase64 } }).Buffer;

/** Shorter texts are decoded faster in a loop. */
const nativeLengthMin = 256;

/** Standard alphabet, padded. */
export const encodeBase64: (bytes: Uint8Array) => string = native
  ? (bytes) => native.prototype.base64Slice.call(bytes, 0, bytes.length)
  : encodeInLoop;

function encodeInLoop(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += standard[group >>> 18];
    text += standard[(group >>> 12) & 63];
    text += left > 1 ? standard[(group >>> 6) & 63] : '=';
    text += left > 2 ? standard[group & 63] : '=';
  }
  return text;
}

/**
 * As the gateway reads it: the URL alphabet when `-` or `_` occurs, else the standard one; padded when the length is a
 * multiple of four, else without padding. Line ends are skipped.
 * @returns undefined when it is not base64.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const isUrl = text.includes('-') || text.includes('_');
  if (isUrl && (text.includes('+') || text.includes('/'))) return undefined;
  const padded = text.length % 4 === 0;
  const lines = text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, '') : text;
  const data = padded ? withoutPadding(lines) : lines;
  if (data.length % 4 === 1 || (padded && lines.length % 4 !== 0)) return undefined;
  const bytes = new Uint8Array(Math.floor((data.length * 3) / 4));
  if (native !== undefined && data.length >= nativeLengthMin) {
    // Of characters beyond a byte it would look at the low byte alone.
    if (/[\u0080-\uffff]/.test(data)) return undefined;
    // It passes over what is no base64; then there are fewer bytes.
    return native.prototype.base64Write.call(bytes, data, 0, bytes.length) === bytes.length ? bytes : undefined;
  }
  let group = 0;
  let position = 0;
  for (let i = 0; i < data.length; i++) {
    const value = values[data.charCodeAt(i)] ?? 0xff;
    if (value === 0xff) return undefined;
    group = (group << 6) | value;
    if (i % 4 !== 0) bytes[position++] = group >>> (6 - 2 * (i % 4));
  }
  return bytes;
}

function withoutPadding(text: string): string {
  if (!text.endsWith('=')) return text;
  return text.slice(0, text.endsWith('==') ? -2 : -1);
}
