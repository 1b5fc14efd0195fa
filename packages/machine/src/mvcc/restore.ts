import { assert, latin1ToBytes, nextTurn, readUint64BE } from '@quorate/base';
import { BucketId, MetaKey } from '@quorate/storage';
import { MvccStore, type StoreDeps, type StoreOptions } from './store.ts';

const sliceMs = 4;
const recordsPerLook = 256;

/**
 * Opens the store on what the backend holds: reads every record once, in slices, and goes on with a compaction that was
 * under way. The lessor must have its leases already: keys are attached here.
 */
export async function openStore(deps: StoreDeps, options: StoreOptions = {}): Promise<MvccStore> {
  const store = new MvccStore(deps, options);
  const { backend, clock } = deps;
  const { index, fields } = store;
  const compacted = readMark(store, MetaKey.finishedCompactRevision) ?? -1;
  const scheduled = readMark(store, MetaKey.scheduledCompactRevision) ?? 0;
  // Leases of the keys read so far, by id: the last put decides.
  const leases = new Map<number, bigint>();
  let lastMain = 1;
  let fromMain = 1;
  let fromSub = 0;
  for (let more = true; more; ) {
    more = false;
    let seen = 0;
    const endMs = clock.nowMs() + sliceMs;
    backend.scanRevisions(fromMain, fromSub, Number.MAX_SAFE_INTEGER, (main, sub, tombstone, record) => {
      if (++seen % recordsPerLook === 0 && clock.nowMs() >= endMs) {
        [fromMain, fromSub, more] = [main, sub, true];
        return false;
      }
      lastMain = main;
      fields.read(record);
      const { keyStart, keyEnd } = fields;
      if (tombstone) {
        const id = index.restoreTombstone(record, keyStart, keyEnd, main, sub);
        if (leases.size > 0) leases.delete(id);
        return true;
      }
      // The mark that `snapshot restore --bump-revision` writes is an empty KeyValue; it counts as a put of the empty key.
      const version = Math.max(fields.version, 1);
      const id = index.restorePut(record, keyStart, keyEnd, main, sub, fields.create, version);
      if (fields.lease !== 0n) leases.set(id, fields.lease);
      else if (leases.size > 0) leases.delete(id);
      return true;
    });
    if (more) await nextTurn(clock);
  }
  const ordering = index.restoreOrder();
  for (let endMs = clock.nowMs() + sliceMs; ordering.next().done !== true; ) {
    if (clock.nowMs() < endMs) continue;
    await nextTurn(clock);
    endMs = clock.nowMs() + sliceMs;
  }
  for (const [id, lease] of leases) store.restoreLease(id, lease);
  store.restored(Math.max(1, lastMain, compacted, scheduled), compacted, scheduled);
  return store;
}

/** The revision of a compaction mark: a 17-byte revision key. */
function readMark(store: MvccStore, name: string): number | undefined {
  const bytes = store.backend.get(BucketId.meta, latin1ToBytes(name));
  if (bytes === undefined) return undefined;
  const main = bytes.length >= 8 ? readUint64BE(bytes, 0) : Number.NaN;
  assert(Number.isSafeInteger(main), `meta ${name} is not a revision`);
  return main;
}
