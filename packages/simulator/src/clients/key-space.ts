import { utf8ToBytes } from '@quorate/base';

/** Few keys, so that clients meet. */
const keyCount = 8;

export const allKeys: readonly string[] = Array.from({ length: keyCount }, (_, i) => `k/${i}`);

/** Every key that clients of the key-value service write begins so. */
export const keyPrefix = utf8ToBytes('k/');
/** Behind all of them. */
export const keyPrefixEnd = utf8ToBytes('k0');
