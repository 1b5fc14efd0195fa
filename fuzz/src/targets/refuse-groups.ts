import { cursor, DecodeError, readTag, skipField, WireType } from '@quorate/api';

/**
 * The readers of logs and snapshot files know no groups, which nobody writes there, and the generated codecs do.
 * @throws DecodeError where one stands among the outermost fields
 */
export function refuseGroups(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
  for (let position = start; position < end; ) {
    const tag = readTag(bytes, position, end);
    if ((tag & 7) === WireType.groupStart) throw new DecodeError('invalid-tag', position);
    position = skipField(bytes, cursor.position, end, tag);
  }
}
