/** What Node's Buffer offers over Uint8Array and is much faster than a text codec; absent in a browser. */
interface NativeText {
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number;
}
interface NativeStatics {
  readonly prototype: NativeText;
  byteLength(text: string): number;
}
interface TextEncoderLike {
  encode(text: string): Uint8Array;
}
interface TextDecoderLike {
  decode(bytes: Uint8Array): string;
}

const globals = globalThis as unknown as {
  Buffer?: NativeStatics;
  TextEncoder: new () => TextEncoderLike;
  TextDecoder: new (label: string, options: { fatal: boolean; ignoreBOM: boolean }) => TextDecoderLike;
};
const native = globals.Buffer;
const encoder = new globals.TextEncoder();
const strictDecoder = new globals.TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lossyDecoder = new globals.TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

/** Up to this many characters a loop beats the call into the runtime when writing, and when reading (bench/codec). */
const shortWrite = 24;
const shortRead = 8;

/** Undefined when the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start;
  if (length <= shortRead) {
    const text = decodeAscii(bytes, start, end);
    if (text !== undefined) return text;
  }
  const text = decodeUtf8Lossy(bytes, start, end);
  // Only a text with a replacement character may come from broken bytes; those are looked at again, strictly.
  if (!text.includes('\ufffd')) return text;
  try {
    return strictDecoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

function decodeAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = '';
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte >= 0x80) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Broken sequences become U+FFFD. */
export const decodeUtf8Lossy: (bytes: Uint8Array, start: number, end: number) => string = native
  ? (bytes, start, end) => native.prototype.utf8Slice.call(bytes, start, end)
  : (bytes, start, end) => lossyDecoder.decode(bytes.subarray(start, end));

/** Length of `text` in UTF-8. A lone surrogate counts as U+FFFD, as which it is written. */
export function utf8Length(text: string): number {
  if (text.length > shortWrite && native) return native.byteLength(text);
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) length += 1;
    else if (unit < 0xd800 || unit > 0xdbff || !isLowSurrogate(text.charCodeAt(i + 1))) length += 2;
    else {
      length += 2;
      i++;
    }
  }
  return length;
}

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

/** Writes `text`, whose {@link utf8Length} is `length`; returns the position behind it. */
export function writeUtf8(text: string, length: number, target: Uint8Array, position: number): number {
  if (length === text.length && length <= shortWrite) {
    for (let i = 0; i < length; i++) target[position + i] = text.charCodeAt(i);
  } else if (native) native.prototype.utf8Write.call(target, text, position, length);
  else target.set(encoder.encode(text), position);
  return position + length;
}
