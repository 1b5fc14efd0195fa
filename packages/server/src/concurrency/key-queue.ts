import { etcdserverpb, type mvccpb, services } from '@quorate/api';
import { concatBytes, utf8ToBytes } from '@quorate/base';
import type { Cancellation } from '@quorate/transport';
import { callerIsGone, type LocalCalls } from './local-calls.ts';

/*
 * Locks and elections are one thing: a queue of keys under a name, each held by a lease.
 *
 *     <name>/<lease id, hex>   create revision 7   the holder, the leader
 *     <name>/<lease id, hex>   create revision 9   waits for 7 to go
 *     <name>/<lease id, hex>   create revision 12  waits for 9, then looks again
 *
 * The order is that of the create revisions, which the cluster gives. A key's create revision is also its holder's fencing token: it grows
 * from holder to holder, so a resource that remembers the largest it has seen can refuse who only thinks that it still holds.
 */

const { SortOrder, SortTarget, CompareResult, CompareTarget, FilterType } = etcdserverpb;
const { Txn, DeleteRange } = services.KV.methods;

/** Of leases that the server grants for a caller without one. */
const ownLeaseTtlSeconds = 60;

const slash = utf8ToBytes('/');
const behindSlash = utf8ToBytes('0');

/** All keys of a queue: from `<name>/` up to `<name>0`. */
export interface QueueRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

export function rangeOf(name: Uint8Array): QueueRange {
  return { key: concatBytes([name, slash]), rangeEnd: concatBytes([name, behindSlash]) };
}

export function keyOf(name: Uint8Array, lease: bigint): Uint8Array {
  return concatBytes([name, slash, utf8ToBytes(lease.toString(16))]);
}

/** The caller's lease, or a new one that the caller must keep alive. */
export async function leaseOf(calls: LocalCalls, lease: bigint): Promise<bigint> {
  if (lease !== 0n) return lease;
  const { id } = await calls.call(services.Lease.methods.LeaseGrant, { ttl: ownLeaseTtlSeconds });
  return id;
}

/** The oldest key of a queue: who holds. */
export function firstOf(range: QueueRange): etcdserverpb.RangeRequest {
  return etcdserverpb.RangeRequest.create({
    ...range,
    limit: 1,
    sortTarget: SortTarget.CREATE,
    sortOrder: SortOrder.ASCEND,
  });
}

/** Where a key stands in its queue. */
export interface Place {
  readonly key: Uint8Array;
  /** Create revision of the key. */
  readonly revision: number;
  /** The key as it was there before; undefined when it is new. */
  readonly existing: mvccpb.KeyValue | undefined;
  /** The holder at that moment; undefined when the key itself is the first. */
  readonly holder: mvccpb.KeyValue | undefined;
  readonly header: etcdserverpb.ResponseHeader | undefined;
}

/** Puts a key into its queue, at the end, unless it is in it already. Of a caller who went away meanwhile it is taken out again. */
export async function enqueue(
  calls: LocalCalls,
  name: Uint8Array,
  lease: bigint,
  value: Uint8Array,
  cancellation: Cancellation,
): Promise<Place> {
  const key = keyOf(name, lease);
  const holder = etcdserverpb.RequestOp.create({ requestRange: firstOf(rangeOf(name)) });
  const put = etcdserverpb.RequestOp.create({ requestPut: etcdserverpb.PutRequest.create({ key, value, lease }) });
  const get = etcdserverpb.RequestOp.create({ requestRange: etcdserverpb.RangeRequest.create({ key }) });
  const answer = await calls.call(Txn, {
    compare: [created(key, 0)],
    success: [put, holder],
    failure: [get, holder],
  });
  if (cancellation.cancelled) {
    if (answer.succeeded) await dequeue(calls, key);
    throw callerIsGone();
  }
  const [own, first] = answer.responses;
  const existing = answer.succeeded ? undefined : own?.responseRange?.kvs[0];
  return {
    key,
    existing,
    revision: existing?.createRevision ?? answer.header?.revision ?? 0,
    holder: first?.responseRange?.kvs[0],
    header: answer.header,
  };
}

/** Holds while the key is the one that was created at this revision; at 0, while there is none. */
export function created(key: Uint8Array, createRevision: number): etcdserverpb.Compare {
  return etcdserverpb.Compare.create({
    key,
    target: CompareTarget.CREATE,
    result: CompareResult.EQUAL,
    createRevision,
  });
}

export function dequeue(calls: LocalCalls, key: Uint8Array): Promise<etcdserverpb.DeleteRangeResponse> {
  return calls.call(DeleteRange, { key });
}

/** Resolves when no key of the queue is older than that of `revision`. @throws GrpcStatusError (as a rejection) */
export async function waitForTurn(
  calls: LocalCalls,
  range: QueueRange,
  revision: number,
  cancellation: Cancellation,
): Promise<void> {
  const older = { ...range, maxCreateRevision: revision - 1, limit: 1 };
  for (;;) {
    // The youngest of them is the last to go, most often: one look for a wait.
    const { header, kvs } = await calls.read(
      { ...older, sortTarget: SortTarget.CREATE, sortOrder: SortOrder.DESCEND },
      cancellation,
    );
    const [youngest] = kvs;
    if (youngest === undefined) return;
    const watched = { key: youngest.key, startRevision: header?.revision ?? 0, filters: [FilterType.NOPUT] };
    await calls.watch(watched, cancellation, ({ events, canceled, compactRevision, cancelReason }) => {
      // Compacted meanwhile: whether the key is there must be looked up.
      if (canceled && compactRevision === 0) throw new Error(cancelReason);
      return !canceled && events.length === 0;
    });
  }
}
