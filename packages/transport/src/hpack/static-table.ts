import { HeaderField } from './header-field.ts';

/** RFC 7541 appendix A, from index 1. */
const entries: readonly (readonly [string, string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

export const staticTableLength = entries.length;

/** `staticTable[index - 1]`. Shared by all connections, so `derived` is only for what depends on nothing but the value. */
export const staticTable: readonly HeaderField[] = entries.map(([name, value]) => new HeaderField(name, value));

const nameIndexes = new Map<string, number>();
const fieldIndexes = new Map<string, number>();
entries.forEach(([name, value], i) => {
  if (!nameIndexes.has(name)) nameIndexes.set(name, i + 1);
  fieldIndexes.set(`${name}\0${value}`, i + 1);
});

/** The first static index with this name, or 0. */
export function staticNameIndex(name: string): number {
  return nameIndexes.get(name) ?? 0;
}

/** The static index of the whole field (`name NUL value`), or 0. */
export function staticFieldIndex(key: string): number {
  return fieldIndexes.get(key) ?? 0;
}
