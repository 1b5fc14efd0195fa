import { varintLength, writeVarint } from '@quorate/api';
import { allocateUnsafe, assert, utf8ToBytes } from '@quorate/base';
import { EventType, type StoreEvent } from '../mvcc/contract.ts';
import { type HeaderWriter, headerBytesMax } from './response-header.ts';

/*
 * etcdserverpb.WatchResponse, fields in tag order, zero fields left out:
 *
 *   0a len header | 10 watch_id | 18 01 created | 20 01 canceled | 28 compact_revision | 32 len cancel_reason | 38 01 fragment
 *   then per event: 5a len ( 08 01 if DELETE | 12 len KeyValue | 1a len previous KeyValue )
 *
 * All up to `fragment` is called the head, the events the body: a body is encoded once and shared by all who get those events.
 */

export interface ControlFields {
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compactRevision?: number;
  readonly cancelReason?: string;
}

const slabBytes = 32 * 1024;

/** Header, watch id, and six small fields without the reason. */
const headBytesMax = 2 + headerBytesMax + 11 + 2 + 2 + 11 + 2;

/** Encodes into slabs, so that a small response costs no allocation of its own memory. */
export class ResponseEncoder {
  private readonly writeHeader: HeaderWriter;
  private slab = allocateUnsafe(slabBytes);
  private used = 0;

  constructor(writeHeader: HeaderWriter) {
    this.writeHeader = writeHeader;
  }

  /** The head of a response with events, with `body` copied behind it. */
  eventResponse(revision: number, watchId: number, fragment: boolean, body: Uint8Array): Uint8Array {
    const slab = this.room(headBytesMax + body.length);
    const start = this.used;
    let at = this.writeStart(slab, start, revision, watchId);
    if (fragment) {
      slab[at++] = 0x38;
      slab[at++] = 1;
    }
    slab.set(body, at);
    this.used = at + body.length;
    return slab.subarray(start, this.used);
  }

  /** A response without events. */
  control(revision: number, watchId: number, fields: ControlFields): Uint8Array {
    const reason = fields.cancelReason === undefined ? undefined : utf8ToBytes(fields.cancelReason);
    const slab = this.room(headBytesMax + (reason === undefined ? 0 : reason.length + 11));
    const start = this.used;
    let at = this.writeStart(slab, start, revision, watchId);
    if (fields.created === true) {
      slab[at++] = 0x18;
      slab[at++] = 1;
    }
    if (fields.canceled === true) {
      slab[at++] = 0x20;
      slab[at++] = 1;
    }
    if (fields.compactRevision !== undefined && fields.compactRevision !== 0) {
      slab[at++] = 0x28;
      at = writeVarint(fields.compactRevision, slab, at);
    }
    if (reason !== undefined && reason.length > 0) {
      slab[at++] = 0x32;
      at = writeVarint(reason.length, slab, at);
      slab.set(reason, at);
      at += reason.length;
    }
    this.used = at;
    return slab.subarray(start, at);
  }

  /** `bytes` bytes to be written in full; a large block has memory of its own. */
  allocate(bytes: number): Uint8Array {
    if (bytes > slabBytes / 8) return allocateUnsafe(bytes);
    const slab = this.room(bytes);
    const start = this.used;
    this.used = start + bytes;
    return slab.subarray(start, this.used);
  }

  private room(bytes: number): Uint8Array {
    if (this.used + bytes > this.slab.length) {
      this.slab = allocateUnsafe(Math.max(slabBytes, bytes));
      this.used = 0;
    }
    return this.slab;
  }

  private writeStart(slab: Uint8Array, start: number, revision: number, watchId: number): number {
    let at = this.writeHeader(revision, slab, start + 2);
    const headerBytes = at - start - 2;
    assert(headerBytes <= headerBytesMax, 'a response header fits its one-byte length');
    slab[start] = 0x0a;
    slab[start + 1] = headerBytes;
    if (watchId !== 0) {
      slab[at++] = 0x10;
      at = writeVarint(watchId, slab, at);
    }
    return at;
  }
}

/** Encodes events, each with its previous key-value where there is one, as they stand in a response. */
export function encodeEvents(
  events: readonly StoreEvent[],
  previous: readonly (Uint8Array | undefined)[] | undefined,
  encoder: ResponseEncoder,
): Uint8Array {
  let size = 0;
  for (let i = 0; i < events.length; i++) {
    const inner = eventBytes(events[i] as StoreEvent, previous?.[i]);
    size += 1 + varintLength(inner) + inner;
  }
  const body = encoder.allocate(size);
  let at = 0;
  for (let i = 0; i < events.length; i++) {
    const event = events[i] as StoreEvent;
    const before = previous?.[i];
    body[at++] = 0x5a;
    at = writeVarint(eventBytes(event, before), body, at);
    if (event.type !== EventType.put) {
      body[at++] = 0x08;
      body[at++] = event.type;
    }
    at = writeBytes(0x12, event.keyValue, body, at);
    if (before !== undefined) at = writeBytes(0x1a, before, body, at);
  }
  return body;
}

/** What stands before the key-value of an event without a previous one. */
export function encodeFront(event: StoreEvent, encoder: ResponseEncoder): Uint8Array {
  const inner = eventBytes(event, undefined);
  const type = event.type === EventType.put ? 0 : 2;
  const front = encoder.allocate(1 + varintLength(inner) + type + 1 + varintLength(event.keyValue.length));
  front[0] = 0x5a;
  let at = writeVarint(inner, front, 1);
  if (type !== 0) {
    front[at++] = 0x08;
    front[at++] = event.type;
  }
  front[at++] = 0x12;
  writeVarint(event.keyValue.length, front, at);
  return front;
}

function eventBytes(event: StoreEvent, previous: Uint8Array | undefined): number {
  const type = event.type === EventType.put ? 0 : 2;
  const keyValue = 1 + varintLength(event.keyValue.length) + event.keyValue.length;
  return type + keyValue + (previous === undefined ? 0 : 1 + varintLength(previous.length) + previous.length);
}

function writeBytes(tag: number, bytes: Uint8Array, target: Uint8Array, position: number): number {
  target[position] = tag;
  const at = writeVarint(bytes.length, target, position + 1);
  target.set(bytes, at);
  return at + bytes.length;
}

/**
 * Cuts a body between events, greedily: each piece has at least one event and otherwise stays below `pieceBytes`.
 * The pieces share the body's memory.
 */
export function cutBody(body: Uint8Array, pieceBytes: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  let end = 0;
  while (end < body.length) {
    const next = eventEnd(body, end);
    if (end > start && next - start >= pieceBytes) {
      pieces.push(body.subarray(start, end));
      start = end;
    }
    end = next;
  }
  if (end > start) pieces.push(body.subarray(start, end));
  return pieces;
}

/** Where the event that starts at `position` ends. */
function eventEnd(body: Uint8Array, position: number): number {
  let at = position + 1;
  let length = 0;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = body[at++] as number;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) return at + length;
  }
}
