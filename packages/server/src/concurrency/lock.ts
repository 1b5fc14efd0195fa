import type { v3lockpb } from '@quorate/api';
import { CodedError, emptyBytes } from '@quorate/base';
import type { Cancellation } from '@quorate/transport';
import { dequeue, enqueue, leaseOf, rangeOf, waitForTurn } from './key-queue.ts';
import type { LocalCalls } from './local-calls.ts';

type Answer<M> = Omit<M, 'unknown'>;

/** Waits for the lock of a name; the same lease gets it again at once. A caller that goes away while it waits leaves no key behind. */
export async function lock(
  calls: LocalCalls,
  { name, lease: given }: v3lockpb.LockRequest,
  cancellation: Cancellation,
): Promise<Answer<v3lockpb.LockResponse>> {
  const lease = await leaseOf(calls, given);
  const { key, revision, holder, header } = await enqueue(calls, name, lease, emptyBytes, cancellation);
  if (holder === undefined || holder.createRevision === revision) return { header, key };
  try {
    await waitForTurn(calls, rangeOf(name), revision, cancellation);
    const own = await calls.read({ key }, cancellation);
    // The lease has run out while it waited.
    if (own.kvs.length === 0) throw new CodedError('concurrency/expired', 'mutex: session is expired');
    return { header: own.header, key };
  } catch (error) {
    await dequeue(calls, key).catch(() => {});
    throw error;
  }
}

/** Deletes the key, whoever holds it. */
export async function unlock(
  calls: LocalCalls,
  { key }: v3lockpb.UnlockRequest,
): Promise<Answer<v3lockpb.UnlockResponse>> {
  const { header } = await dequeue(calls, key);
  return { header };
}
