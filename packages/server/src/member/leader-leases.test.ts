import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster, LeaseExpiry, Lessor } from '@quorate/machine';
import { noPeerClient } from '../replica/peer-network.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { LeaderLeases } from './leader-leases.ts';

/** The primary lessor of a cluster of one, which knows lease 5 and has applied everything but the last entry. */
function start(renewsKnownAtOnce: boolean) {
  const clock = new ManualClock();
  const index = { applied: 9, committed: 10 };
  const leases = new LeaderLeases(
    {
      clock,
      lessor: { has: (id: bigint) => id === 5n } as unknown as Lessor,
      expiry: { isPrimary: true, renew: () => 60 } as unknown as LeaseExpiry,
      cluster: {} as Cluster,
      peerClient: noPeerClient,
      replica: {
        leader: 1n,
        get committedIndex() {
          return index.committed;
        },
        isFresh: () => true,
        isReadable: () => true,
        linearizableRead: (read) => read.readable(),
      },
      appliedIndex: () => index.applied,
    },
    { requestTimeoutMs: 7_000, renewsKnownAtOnce },
  );
  return { leases, clock, index };
}

const renewed = { kind: 'found', lease: 60 };

test('a lease that is known is renewed at once; one that is not may be about to be granted', async () => {
  const { leases, clock, index } = start(true);
  assert.deepEqual(leases.renew(5n), renewed);
  const waiting = leases.renew(6n);
  assert.ok(waiting instanceof Promise);
  await clock.advance(500);
  index.applied = 10;
  await clock.advance(5);
  assert.deepEqual(await waiting, renewed);
});

test('without the feature gate every renewal waits until what is committed is applied, for a second', async () => {
  const { leases, clock, index } = start(false);
  const waiting = leases.renew(5n);
  assert.ok(waiting instanceof Promise);
  await clock.advance(1_000);
  assert.deepEqual(await waiting, { kind: 'failed', symbol: 'ErrGRPCTimeoutWaitAppliedIndex' });
  index.applied = 10;
  assert.deepEqual(leases.renew(5n), renewed);
});
