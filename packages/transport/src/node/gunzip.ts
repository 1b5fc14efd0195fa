import { gunzipSync } from 'node:zlib';
import type { Decompress } from '@quorate/transport';

/** Gunzips with zlib, never past `bytesMax`. */
export const gunzip: Decompress = (bytes, bytesMax) => {
  try {
    return gunzipSync(bytes, { maxOutputLength: Math.max(bytesMax, 1) });
  } catch (error) {
    return (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : 'corrupt';
  }
};
