import {
  type AnyMessageCodec,
  cursor,
  type Field,
  readLength,
  readTag,
  skipField,
  toJson,
  WireType,
} from '@quorate/api';
import { type Clock, concatBytes, nextTurn, utf8ToBytes } from '@quorate/base';

/** Messages up to this size become text in one stretch. */
export const wholeBytesMax = 64 * 1024;
/** Longest stretch in one turn. */
const sliceMs = 2;
/** Work between two looks at the clock: bytes of messages, or fields found. */
const bytesPerLook = 16 * 1024;
const fieldsPerLook = 512;
const pieceCharacters = 32 * 1024;

/** `start` and `end` of fields that hold messages, pair by pair. */
type Spans = number[];

/** A message taken apart. */
interface Parts {
  /** By field number: the messages of a repeated field, or a single large one. */
  readonly messages: ReadonlyMap<number, Spans>;
  /** All other fields. */
  readonly rest: object;
}

/**
 * The JSON text of an encoded message that may hold very many others (keys, for example), or large ones, in pieces of some ten KiB. It is read
 * and written in slices, so that the loop is not held.
 * @param clean what is done to the text
 * @throws DecodeError (as a rejection)
 */
export async function jsonPieces(
  type: AnyMessageCodec,
  bytes: Uint8Array,
  clock: Clock,
  clean: (text: string) => string = (text) => text,
): Promise<Uint8Array[]> {
  const writer = new JsonWriter(bytes, clock, clean);
  await writer.message(type, 0, bytes.length);
  return writer.finish();
}

class JsonWriter {
  private readonly bytes: Uint8Array;
  private readonly clock: Clock;
  private readonly clean: (text: string) => string;
  private readonly pieces: Uint8Array[] = [];
  private text = '';
  private workLeft = bytesPerLook;
  private turnStartMs: number;

  constructor(bytes: Uint8Array, clock: Clock, clean: (text: string) => string) {
    this.bytes = bytes;
    this.clock = clock;
    this.clean = clean;
    this.turnStartMs = clock.nowMs();
  }

  finish(): Uint8Array[] {
    this.pieces.push(utf8ToBytes(this.text));
    return this.pieces;
  }

  /** Writes the message in `[start, end)`. */
  async message(type: AnyMessageCodec, start: number, end: number): Promise<void> {
    if (end - start <= wholeBytesMax || !type.fields.some((field) => field.kind === 'message')) {
      this.put(JSON.stringify(toJson(type, type.decode(this.bytes, start, end))));
      if (this.worked(end - start)) await this.nextTurn();
      return;
    }
    const { messages, rest } = await this.takeApart(type, start, end);
    let separator = '{';
    for (const field of type.fields) {
      const spans = messages.get(field.number);
      if (spans !== undefined) {
        this.put(`${separator}"${field.name}":`);
        await this.messages(field, spans);
      } else {
        const member = memberOf(type, field, rest);
        if (member === '') continue;
        this.put(separator + member);
      }
      separator = ',';
    }
    this.put(separator === '{' ? '{}' : '}');
  }

  private async messages(field: Field, spans: Spans): Promise<void> {
    const type = (field.message as () => AnyMessageCodec)();
    const isList = field.label === 'repeated';
    if (isList) this.put('[');
    for (let i = 0; i < spans.length; i += 2) {
      if (i > 0) this.put(',');
      await this.message(type, spans[i] as number, spans[i + 1] as number);
    }
    if (isList) this.put(']');
  }

  private async takeApart(type: AnyMessageCodec, start: number, end: number): Promise<Parts> {
    const messages = new Map<number, Spans>();
    const rest: Uint8Array[] = [];
    const { bytes } = this;
    for (let position = start; position < end; ) {
      const tag = readTag(bytes, position, end);
      const field = type.fields.find((candidate) => candidate.number === tag >>> 3);
      const behindTag = cursor.position;
      const next = skipField(bytes, behindTag, end, tag);
      if (field?.kind === 'message' && (tag & 7) === WireType.bytes && isWritten(field, next - behindTag)) {
        const spans = messages.get(field.number) ?? [];
        if (spans.length === 0) messages.set(field.number, spans);
        readLength(bytes, behindTag, end);
        spans.push(cursor.position, next);
      } else {
        rest.push(bytes.subarray(position, next));
      }
      position = next;
      if (this.worked(bytesPerLook / fieldsPerLook)) await this.nextTurn();
    }
    return { messages, rest: type.decode(concatBytes(rest)) };
  }

  private put(text: string): void {
    this.text += this.clean(text);
    if (this.text.length < pieceCharacters) return;
    this.pieces.push(utf8ToBytes(this.text));
    this.text = '';
  }

  /** Whether it is time to let others have their turn. */
  private worked(bytes: number): boolean {
    this.workLeft -= bytes;
    if (this.workLeft > 0) return false;
    this.workLeft = bytesPerLook;
    return this.clock.nowMs() - this.turnStartMs >= sliceMs;
  }

  private async nextTurn(): Promise<void> {
    await nextTurn(this.clock);
    this.turnStartMs = this.clock.nowMs();
  }
}

/** Whether a field's messages are written one by one; a small single one is written with the rest. */
function isWritten(field: Field, bytes: number): boolean {
  return field.label === 'repeated' || (field.label === undefined && bytes > wholeBytesMax);
}

/** The field alone, as the whole message would have it; empty when it is left out. */
function memberOf(type: AnyMessageCodec, field: Field, message: object): string {
  const value = (message as Record<string, unknown>)[field.key];
  return JSON.stringify(toJson(type, { ...type.create(), [field.key]: value })).slice(1, -1);
}
