import { concatBytes, readUint32BE, utf8ToBytes, writeUint32BE } from '@quorate/base';
import { writeLiteralField } from '../hpack/hpack-encoder.ts';
import { clientPrefaceText, FrameFlag, FrameType } from '../http2/constants.ts';
import { writeFrameHeader } from '../http2/frame-writer.ts';

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Uint8Array;
}

export const noPayload: Uint8Array = new Uint8Array(0);

/** The bytes of any frame, well formed or not. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = noPayload): Uint8Array {
  const bytes = new Uint8Array(9 + payload.length);
  bytes.set(payload, writeFrameHeader(bytes, 0, payload.length, type, flags, streamId));
  return bytes;
}

/** A 32-bit word. */
export function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeUint32BE(value, bytes, 0);
  return bytes;
}

/** A header block of literals. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((size, [name, value]) => size + name.length + value.length + 16, 0));
  let position = 0;
  for (const [name, value] of fields) position = writeLiteralField(name, value, bytes, position);
  return bytes.slice(0, position);
}

export function grpcHeaders(path: string, more: readonly (readonly [string, string])[] = []): Uint8Array {
  return headerBlock([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...more,
  ]);
}

/** The client's preface with SETTINGS (pairs of id and value). */
export function clientPreface(settings: readonly number[] = []): Uint8Array {
  const payload = new Uint8Array((settings.length / 2) * 6);
  for (let i = 0; i < settings.length; i += 2) {
    payload[i * 3 + 1] = settings[i] as number;
    writeUint32BE(settings[i + 1] as number, payload, i * 3 + 2);
  }
  return concatBytes([utf8ToBytes(clientPrefaceText), frame(FrameType.settings, 0, 0, payload)]);
}

/** One gRPC message with its prefix. */
export function message(bytes: Uint8Array, compressed = 0): Uint8Array {
  const whole = new Uint8Array(5 + bytes.length);
  whole[0] = compressed;
  writeUint32BE(bytes.length, whole, 1);
  whole.set(bytes, 5);
  return whole;
}

/** A whole unary request. */
export function unaryRequest(streamId: number, path: string, bytes: Uint8Array = noPayload): Uint8Array {
  return concatBytes([
    frame(FrameType.headers, FrameFlag.endHeaders, streamId, grpcHeaders(path)),
    frame(FrameType.data, FrameFlag.endStream, streamId, message(bytes)),
  ]);
}

/** Cuts bytes into frames; they must be complete. */
export function parseFrames(bytes: Uint8Array): RawFrame[] {
  const frames: RawFrame[] = [];
  let position = 0;
  while (position < bytes.length) {
    const length = readUint32BE(bytes, position) >>> 8;
    const end = position + 9 + length;
    if (end > bytes.length) throw new Error('cut frame');
    frames.push({
      type: bytes[position + 3] as number,
      flags: bytes[position + 4] as number,
      streamId: readUint32BE(bytes, position + 5),
      payload: bytes.slice(position + 9, end),
    });
    position = end;
  }
  return frames;
}
