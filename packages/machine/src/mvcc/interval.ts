import { emptyBytes } from '@quorate/base';
import { type KeyEnd, openEnd } from './key-index/index.ts';

/**
 * The end of the interval that the API's (key, range_end) names: undefined for the single key, {@link openEnd} when
 * range_end is the one byte 0, else range_end itself (at or below the key: an empty interval).
 */
export function intervalEnd(rangeEnd: Uint8Array): KeyEnd | undefined {
  if (rangeEnd.length === 0) return undefined;
  return rangeEnd.length === 1 && rangeEnd[0] === 0 ? openEnd : rangeEnd;
}

/** Below every key. */
export const firstKey: Uint8Array = emptyBytes;
