import { cursor, readTag, skipField, WireType } from '@quorate/api';

/** The header of an InternalRaftRequest: who asks. All its other messages are the request. */
const headerField = 100;

/** Which request an entry holds: its field in InternalRaftRequest, read without decoding it; 0 when there is none. */
export function requestFieldOf(data: Uint8Array): number {
  let position = 0;
  while (position < data.length) {
    const tag = readTag(data, position, data.length);
    const field = tag >>> 3;
    if ((tag & 7) === WireType.bytes && field !== headerField) return field;
    position = skipField(data, cursor.position, data.length, tag);
  }
  return 0;
}
