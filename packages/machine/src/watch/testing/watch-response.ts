import { concatBytes, latin1FromBytes, utf8FromBytes } from '@quorate/base';
import type { WatchOutput } from '../watch-output.ts';

export interface SeenEvent {
  readonly type: number;
  readonly keyValue: Uint8Array;
  readonly previous: Uint8Array | undefined;
}

/** A WatchResponse as a client decodes it. */
export interface SeenResponse {
  revision: number;
  watchId: number;
  created: boolean;
  canceled: boolean;
  compactRevision: number;
  cancelReason: string;
  fragment: boolean;
  bytes: number;
  readonly events: SeenEvent[];
}

interface Field {
  readonly number: number;
  readonly value: bigint;
  readonly bytes: Uint8Array;
}

export function* fieldsOf(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('cut varint');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    if ((tag & 7) === 0) {
      yield { number: tag >> 3, value: varint(), bytes: new Uint8Array(0) };
    } else if ((tag & 7) === 2) {
      const length = Number(varint());
      if (at + length > message.length) throw new Error('cut field');
      yield { number: tag >> 3, value: 0n, bytes: message.slice(at, at + length) };
      at += length;
    } else throw new Error(`wire type of tag ${tag}`);
  }
}

export function decodeResponse(message: Uint8Array): SeenResponse {
  const seen: SeenResponse = {
    revision: 0,
    watchId: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: '',
    fragment: false,
    bytes: message.length,
    events: [],
  };
  for (const { number, value, bytes } of fieldsOf(message)) {
    if (number === 1) {
      for (const field of fieldsOf(bytes)) if (field.number === 3) seen.revision = Number(field.value);
    } else if (number === 2) seen.watchId = Number(BigInt.asIntN(64, value));
    else if (number === 3) seen.created = value === 1n;
    else if (number === 4) seen.canceled = value === 1n;
    else if (number === 5) seen.compactRevision = Number(value);
    else if (number === 6) seen.cancelReason = utf8FromBytes(bytes);
    else if (number === 7) seen.fragment = value === 1n;
    else if (number === 11) seen.events.push(decodeEvent(bytes));
    else throw new Error(`field ${number}`);
  }
  return seen;
}

function decodeEvent(message: Uint8Array): SeenEvent {
  let type = 0;
  let keyValue = new Uint8Array(0);
  let previous: Uint8Array | undefined;
  for (const { number, value, bytes } of fieldsOf(message)) {
    if (number === 1) type = Number(value);
    else if (number === 2) keyValue = bytes as Uint8Array<ArrayBuffer>;
    else if (number === 3) previous = bytes;
  }
  return { type, keyValue, previous };
}

/** `key@mod_revision` of an encoded KeyValue. */
export function nameOf(keyValue: Uint8Array): string {
  let key = '';
  let mod = 0;
  for (const { number, value, bytes } of fieldsOf(keyValue)) {
    if (number === 1) key = latin1FromBytes(bytes);
    else if (number === 3) mod = Number(value);
  }
  return `${key}@${mod}`;
}

export function modRevisionOf(keyValue: Uint8Array): number {
  for (const { number, value } of fieldsOf(keyValue)) if (number === 3) return Number(value);
  return 0;
}

/** An output that is full once it holds `capacity` responses, until they are taken. */
export class TestOutput implements WatchOutput {
  capacity: number;
  private readonly queue: Uint8Array[] = [];
  private callback: (() => void) | undefined = undefined;
  private isFull = false;
  private isPressed = false;
  /** It was asked while pressed. */
  private isRefused = false;
  /** A response began that goes on in further fragments. */
  private isInFragments = false;

  constructor(capacity = Number.POSITIVE_INFINITY) {
    this.capacity = capacity;
  }

  send(head: Uint8Array, body: Uint8Array): boolean {
    const message = concatBytes([head, body]);
    if (this.isFull && !this.isInFragments) throw new Error('sent to a full output');
    this.isInFragments = decodeResponse(message).fragment;
    this.queue.push(message);
    this.isFull = this.queue.length >= this.capacity;
    return !this.isFull;
  }

  hasRoom(): boolean {
    this.isRefused ||= this.isPressed;
    return !this.isFull && !this.isPressed;
  }

  /** As if all streams together held too much, until told otherwise; then who was refused hears of room. */
  press(isPressed: boolean): void {
    this.isPressed = isPressed;
    if (isPressed || !this.isRefused) return;
    this.isRefused = false;
    this.callback?.();
  }

  onDrain(callback: () => void): void {
    this.callback = callback;
  }

  /** Takes up to `count` responses; tells of room once all are taken. */
  take(count = Number.POSITIVE_INFINITY): SeenResponse[] {
    const taken = this.queue.splice(0, count).map(decodeResponse);
    if (this.isFull && this.queue.length === 0) {
      this.isFull = false;
      this.callback?.();
    }
    return taken;
  }
}
