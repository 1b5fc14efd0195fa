import { writeUint32BE } from '@quorate/base';
import { FrameFlag, FrameType, frameHeaderBytes } from './constants.ts';
import { copyInto, type Output } from './output.ts';

/** Writes the nine bytes of a frame header; returns the position behind them. */
export function writeFrameHeader(
  target: Uint8Array,
  position: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  target[position] = length >>> 16;
  target[position + 1] = length >>> 8;
  target[position + 2] = length;
  target[position + 3] = type;
  target[position + 4] = flags;
  target[position + 5] = streamId >>> 24;
  target[position + 6] = streamId >>> 16;
  target[position + 7] = streamId >>> 8;
  target[position + 8] = streamId;
  return position + frameHeaderBytes;
}

function sendWord(output: Output, type: number, streamId: number, value: number): void {
  const position = output.reserve(frameHeaderBytes + 4);
  writeUint32BE(value, output.slab, writeFrameHeader(output.slab, position, 4, type, 0, streamId));
  output.position = position + frameHeaderBytes + 4;
}

export function sendReset(output: Output, streamId: number, code: number): void {
  sendWord(output, FrameType.rstStream, streamId, code);
}

/** Stream 0 is the connection. */
export function sendWindowUpdate(output: Output, streamId: number, increment: number): void {
  sendWord(output, FrameType.windowUpdate, streamId, increment);
}

/** `payload[start, start + 8)` is opaque. */
export function sendPing(output: Output, ack: boolean, payload: Uint8Array, start: number): void {
  const position = output.reserve(frameHeaderBytes + 8);
  const behind = writeFrameHeader(output.slab, position, 8, FrameType.ping, ack ? FrameFlag.ack : 0, 0);
  output.position = copyInto(output.slab, behind, payload, start, start + 8);
}

/** `settings` are pairs of id and value, one behind the other. */
export function sendSettings(output: Output, settings: readonly number[]): void {
  const length = (settings.length / 2) * 6;
  let position = output.reserve(frameHeaderBytes + length);
  position = writeFrameHeader(output.slab, position, length, FrameType.settings, 0, 0);
  for (let i = 0; i < settings.length; i += 2) {
    const id = settings[i] as number;
    output.slab[position] = id >>> 8;
    output.slab[position + 1] = id;
    writeUint32BE(settings[i + 1] as number, output.slab, position + 2);
    position += 6;
  }
  output.position = position;
}

export function sendSettingsAck(output: Output): void {
  const position = output.reserve(frameHeaderBytes);
  output.position = writeFrameHeader(output.slab, position, 0, FrameType.settings, FrameFlag.ack, 0);
}

/** `debug` is at most some hundred bytes. */
export function sendGoaway(output: Output, lastStreamId: number, code: number, debug: Uint8Array): void {
  const length = 8 + debug.length;
  let position = output.reserve(frameHeaderBytes + length);
  position = writeFrameHeader(output.slab, position, length, FrameType.goaway, 0, 0);
  writeUint32BE(lastStreamId, output.slab, position);
  writeUint32BE(code, output.slab, position + 4);
  output.position = copyInto(output.slab, position + 8, debug, 0, debug.length);
}

/** A whole header block, over CONTINUATION frames when it does not fit one of `frameBytesMax`. */
export function sendHeaderBlock(
  output: Output,
  streamId: number,
  block: Uint8Array,
  endStream: boolean,
  frameBytesMax: number,
): void {
  let start = 0;
  let type: number = FrameType.headers;
  let flags: number = endStream ? FrameFlag.endStream : 0;
  do {
    const end = Math.min(start + frameBytesMax, block.length);
    if (end === block.length) flags |= FrameFlag.endHeaders;
    const position = output.reserve(frameHeaderBytes);
    output.position = writeFrameHeader(output.slab, position, end - start, type, flags, streamId);
    output.copy(block, start, end);
    start = end;
    type = FrameType.continuation;
    flags = 0;
  } while (start < block.length);
}
