import type { ErrorSymbol } from '@quorate/api';
import { crc32c, latin1ToBytes, nextTurn } from '@quorate/base';
import { writeRevisionKey } from '@quorate/storage';
import { firstKey } from './interval.ts';
import { openEnd } from './key-index/index.ts';
import type { MvccStore } from './store.ts';

export interface KeyHashResult {
  readonly hash: number;
  /** The compacted revision when it was computed; -1 before the first compaction. */
  readonly compactRevision: number;
  readonly hashRevision: number;
  /** The store's revision then. */
  readonly currentRevision: number;
  /**
   * Where it is another one: what a member with the same data answers when it is the one of the two that has compacted at this revision, or has
   * not. In a compaction a tombstone exactly there counts as something that stays (as in etcd), which matters when no key exists.
   */
  readonly otherHash?: number;
}

type Hashes = Pick<KeyHashResult, 'hash' | 'otherHash'>;

const sliceMs = 2;
const recordsPerLook = 64;

/**
 * The answer to HashKV: of a revision that a compaction hashed what it stored, with the compacted revision before it (as etcd looks it
 * up, also for 0 after a compaction at 0); of others {@link hashAtRevision}.
 */
export async function hashKeys(store: MvccStore, revision: number): Promise<KeyHashResult | ErrorSymbol> {
  const stored = store.compactionHashes.find(revision);
  if (stored !== undefined) return { ...stored, currentRevision: store.currentRevision };
  return hashAtRevision(store, revision);
}

/**
 * The hash that a compaction at `revision` stores, `compactRevision` being the one before. To be called before it takes anything out
 * of the index; later compactions wait for it. Undefined when `isStopped` said so.
 */
export async function hashForCompaction(
  store: MvccStore,
  revision: number,
  compactRevision: number,
  isStopped: () => boolean,
): Promise<Hashes | undefined> {
  return hashBothWays(store, revision, compactRevision, true, isStopped);
}

/**
 * etcd's hash by revision: CRC-32C over `key` and the keys and values of all records with main <= `revision` in order, where of what
 * is at or below the compacted revision only the records count that are the state at `revision`, and tombstones exactly there do not.
 * Equal on all members of 3.5.16, 3.4.34 and later that have the same compacted revision. Works in slices at a pinned revision.
 *
 * @param revision 0 for the current one.
 */
async function hashAtRevision(store: MvccStore, revision: number): Promise<KeyHashResult | ErrorSymbol> {
  const { compactRevision, currentRevision } = store;
  const hashRevision = revision === 0 ? currentRevision : revision;
  if (revision !== 0 && revision < compactRevision) return 'ErrGRPCCompacted';
  if (hashRevision > currentRevision) return 'ErrGRPCFutureRev';
  // What a compaction above the compacted revision would delete still belongs to the hash.
  const pin = store.pins.add(compactRevision);
  const startedMs = store.clock.nowMs();
  try {
    const hashes = await hashBothWays(store, hashRevision, compactRevision, false, () => pin.lost);
    return hashes === undefined ? 'ErrGRPCCompacted' : { ...hashes, compactRevision, hashRevision, currentRevision };
  } finally {
    store.pins.release(pin);
    store.metrics.hashSeconds.observe((store.clock.nowMs() - startedMs) / 1000);
  }
}

/** The hash in a compaction or without one, and where it differs the other one of the two. */
async function hashBothWays(
  store: MvccStore,
  revision: number,
  compactRevision: number,
  inCompaction: boolean,
  isBroken: () => boolean,
): Promise<Hashes | undefined> {
  const isEmpty = !(await hasKeyAt(store, revision));
  // Only in a compaction a tombstone exactly there counts as something that stays.
  const differs = isEmpty && hasTombstoneAt(store, revision);
  const keepsAll = isEmpty && !(differs && inCompaction);
  const hash = await hashRecords(store, revision, compactRevision, keepsAll, isBroken);
  if (hash === undefined) return undefined;
  if (!differs) return { hash };
  const otherHash = await hashRecords(store, revision, compactRevision, !keepsAll, isBroken);
  return otherHash === undefined ? undefined : { hash, otherHash };
}

async function hashRecords(
  store: MvccStore,
  hashRevision: number,
  compactRevision: number,
  keepsAll: boolean,
  isBroken: () => boolean,
): Promise<number | undefined> {
  const { backend, clock, index, fields } = store;
  const recordKey = new Uint8Array(18);
  let crc = crc32c(0, latin1ToBytes('key'));
  let fromMain = 0;
  let fromSub = 0;
  for (let more = true; more; ) {
    more = false;
    let seen = 0;
    const endMs = clock.nowMs() + sliceMs;
    backend.scanRevisions(fromMain, fromSub, hashRevision + 1, (main, sub, tombstone, record) => {
      if (++seen % recordsPerLook === 0 && clock.nowMs() >= endMs) {
        [fromMain, fromSub, more] = [main, sub, true];
        return false;
      }
      if (main <= compactRevision) {
        if (tombstone && main === compactRevision) return true;
        fields.read(record);
        const id = index.find(record, fields.keyStart, fields.keyEnd);
        // Even when all counts, what a compaction under way is about to delete does not.
        const isState = id !== 0 && index.findAt(id, keepsAll ? compactRevision : hashRevision);
        if (!isState || tombstone || index.foundMain !== main || index.foundSub !== sub) return true;
      }
      const length = writeRevisionKey(recordKey, 0, main, sub, tombstone);
      crc = crc32c(crc32c(crc, recordKey, 0, length), record);
      return true;
    });
    if (more) await nextTurn(clock);
    if (isBroken()) return undefined;
  }
  return crc;
}

function hasTombstoneAt(store: MvccStore, revision: number): boolean {
  let found = false;
  store.backend.rangeRevisions(revision, 0, revision + 1, (_main, _sub, tombstone) => {
    found = tombstone;
    return !found;
  });
  return found;
}

/** Whether any key exists at the revision. */
async function hasKeyAt(store: MvccStore, revision: number): Promise<boolean> {
  const { clock, index } = store;
  if (revision === store.currentRevision) return index.liveCount > 0;
  let start: Uint8Array = firstKey;
  for (;;) {
    const endMs = clock.nowMs() + sliceMs;
    let found = false;
    let next: Uint8Array | undefined;
    let seen = 0;
    index.scan(start, openEnd, (id) => {
      if (++seen % recordsPerLook === 0 && clock.nowMs() >= endMs) {
        next = index.keyBytes(id);
        return false;
      }
      found = index.findAt(id, revision);
      return !found;
    });
    if (found || next === undefined) return found;
    start = next;
    await nextTurn(clock);
  }
}
