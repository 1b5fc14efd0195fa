import { allocate, view } from './allocate.ts';
import { DecodeError } from './decode-error.ts';
import { cursor, readTag, skipField, WireType, writeRaw, writeTag, writeVarint } from './wire.ts';

/** What generated decoders need on their rare paths: unknown fields and fields that come twice. */

/** Starts and ends, alternating, of the unknown fields of one message. */
export type Ranges = number[];

/** Notes that `[start, end)` holds an unknown field. Neighbours become one range, so usually there is one. */
export function keepUnknown(ranges: Ranges | undefined, start: number, end: number): Ranges {
  if (ranges === undefined) return [start, end];
  if (ranges[ranges.length - 1] === start) ranges[ranges.length - 1] = end;
  else ranges.push(start, end);
  return ranges;
}

/** The unknown fields one behind the other: a view when there is one range, else a copy. */
export function gatherUnknown(bytes: Uint8Array, ranges: Ranges): Uint8Array {
  if (ranges.length === 2) return view(bytes, ranges[0] as number, ranges[1] as number);
  let size = 0;
  for (let i = 0; i < ranges.length; i += 2) size += (ranges[i + 1] as number) - (ranges[i] as number);
  const whole = allocate(size);
  let position = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    position = writeRaw(view(bytes, ranges[i] as number, ranges[i + 1] as number), whole, position);
  }
  return whole;
}

/** Numbers of a message type's fields that hold one sub-message, each with its oneof (0 for none, else 1, 2 …). */
export type MergeTable = ReadonlyMap<number, number>;

/** One sub-message of the rebuilt message: its pieces one behind the other. */
interface Part {
  readonly fieldNumber: number;
  ranges: Ranges;
}

/** Rebuilt bytes for each byte of the message whose `decode` was called. */
const rebuiltFactor = 8;

/** How many bytes may still be rebuilt; of the one synchronous `decode` that runs. */
const merging = { bytesLeft: 0 };

/**
 * Protobuf says that a sub-message that comes twice is merged, which is the same as decoding both encodings one behind
 * the other. No real encoder does that, so decoders notice it (a second occurrence), rebuild the message with this
 * function and start over: free for all others. Starting over decodes again what lies inside, and merging inside merging would double
 * the work with each level: what may be rebuilt in all is bounded, so that the work stays linear, whatever an attacker sends.
 * Of a oneof only what came last counts. What another member displaced stays in the message, and is decoded, because it
 * must be well-formed as everywhere.
 */
export function mergeDuplicates(bytes: Uint8Array, start: number, end: number, table: MergeTable): Uint8Array {
  merging.bytesLeft -= end - start;
  if (merging.bytesLeft < 0) throw new DecodeError('too-deep', start);
  const others: Ranges = [];
  const parts: Part[] = [];
  /** Those that go on when their field comes again, by field number, or by the oneof's number below zero. */
  const open = new Map<number, Part>();
  for (let position = start; position < end; ) {
    const tag = readTag(bytes, position, end);
    const value = cursor.position;
    const next = skipField(bytes, value, end, tag);
    const fieldNumber = tag >>> 3;
    const oneof = (tag & 7) === WireType.bytes ? table.get(fieldNumber) : undefined;
    if (oneof === undefined) keepUnknown(others, position, next);
    else {
      // The content lies behind the length, whose end skipField left in the cursor.
      const content = cursor.position;
      const key = oneof === 0 ? fieldNumber : -oneof;
      let part = open.get(key);
      if (part?.fieldNumber !== fieldNumber) {
        part = { fieldNumber, ranges: [] };
        open.set(key, part);
        parts.push(part);
      }
      checkFields(bytes, content, next);
      part.ranges = keepUnknown(part.ranges, content, next);
    }
    position = next;
  }
  return rebuild(bytes, others, parts, end - start);
}

/** A piece must be whole fields by itself: joined with the next, half a field could seem one. */
function checkFields(bytes: Uint8Array, start: number, end: number): void {
  for (let position = start; position < end; ) {
    const tag = readTag(bytes, position, end);
    position = skipField(bytes, cursor.position, end, tag);
  }
}

function rebuild(bytes: Uint8Array, others: Ranges, parts: readonly Part[], sizeBefore: number): Uint8Array {
  // Two lengths become one, which may be longer by some bytes for each field.
  const target = allocate(sizeBefore + parts.length * 10);
  let position = 0;
  for (let i = 0; i < others.length; i += 2) {
    position = writeRaw(view(bytes, others[i] as number, others[i + 1] as number), target, position);
  }
  for (const { fieldNumber, ranges } of parts) {
    const content = gatherUnknown(bytes, ranges);
    position = writeTag(fieldNumber, WireType.bytes, target, position);
    position = writeVarint(content.length, target, position);
    position = writeRaw(content, target, position);
  }
  return view(target, 0, position);
}

/** Checks the window a caller asks to decode: a mistake of the caller's, not of the bytes. What may be merged in it begins anew. */
export function checkWindow(bytes: Uint8Array, start: number, end: number): void {
  if (start < 0 || start > end || end > bytes.length) {
    throw new RangeError(`no window [${start}, ${end}) in ${bytes.length} bytes`);
  }
  merging.bytesLeft = (end - start) * rebuiltFactor;
}

/** Typed arrays ignore writes beyond their end: say so instead. */
export function checkWritten(position: number, target: Uint8Array): number {
  if (position > target.length)
    throw new RangeError(`the message needs ${position} bytes, the target has ${target.length}`);
  return position;
}
