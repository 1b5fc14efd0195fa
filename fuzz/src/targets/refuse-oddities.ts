import { cursor, DecodeError, readTag, skipField, WireType } from '@quorate/api';

/**
 * The readers of logs and snapshot files refuse what the generated codecs take and nobody writes there: groups, and the message of field
 * `single` when it comes twice.
 * @throws DecodeError where one stands among the outermost fields
 */
export function refuseOddities(bytes: Uint8Array, single = 0, start = 0, end: number = bytes.length): void {
  let singles = 0;
  for (let position = start; position < end; ) {
    const tag = readTag(bytes, position, end);
    if ((tag & 7) === WireType.groupStart) throw new DecodeError('invalid-tag', position);
    if (tag === ((single << 3) | WireType.bytes) && ++singles > 1) throw new DecodeError('invalid-tag', position);
    position = skipField(bytes, cursor.position, end, tag);
  }
}
