import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster, LeaseExpiry, Lessor } from '@quorate/machine';
import { noPeerClient } from '../replica/peer-network.ts';
import type { PendingRead } from '../replica/pending-reads.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { LeaderLeases } from './leader-leases.ts';

/** The primary lessor, alone or in a cluster whose majority the test speaks for. */
function start(isAlone: boolean) {
  const questions: PendingRead[] = [];
  const expiry = { isPrimary: true, renewals: 0, renew: () => 60 + expiry.renewals++ };
  const leases = new LeaderLeases(
    {
      clock: new ManualClock(),
      lessor: {} as Lessor,
      expiry: expiry as unknown as LeaseExpiry,
      cluster: {} as Cluster,
      peerClient: noPeerClient,
      replica: {
        leader: 1n,
        committedIndex: 10,
        isReadable: () => isAlone,
        linearizableRead: (read) => void questions.push(read),
      },
      appliedIndex: () => 10,
    },
    { requestTimeoutMs: 7_000 },
  );
  return { leases, expiry, questions };
}

const renewed = (ttlSeconds: number) => ({ kind: 'found', lease: ttlSeconds });
const notPrimary = { kind: 'failed', symbol: 'NotPrimaryLessor' };

test('a leader without others renews at once', () => {
  const { leases, questions } = start(true);
  assert.deepEqual(leases.renew(5n, leases.moment), renewed(60));
  assert.equal(questions.length, 0);
});

test('a leader of others renews only once a majority has said that it leads', async () => {
  const { leases, expiry, questions } = start(false);
  const waiting = leases.renew(5n, leases.moment);
  assert.ok(waiting instanceof Promise);
  assert.equal(expiry.renewals, 0);
  questions[0]?.readable();
  assert.deepEqual(await waiting, renewed(60));
});

test('a leader that a majority does not know renews nothing', async () => {
  const { leases, expiry, questions } = start(false);
  const unheard = leases.renew(5n, leases.moment);
  questions[0]?.failed('ErrGRPCTimeout');
  assert.deepEqual(await unheard, notPrimary);
  const demoted = leases.renew(5n, leases.moment);
  expiry.isPrimary = false;
  questions[1]?.readable();
  assert.deepEqual(await demoted, notPrimary);
  assert.equal(expiry.renewals, 0);
});

test('what came before a question needs none of its own, what came after it does', async () => {
  const { leases, questions } = start(false);
  const before = leases.moment;
  const first = leases.renew(5n, before);
  const during = leases.moment;
  questions[0]?.readable();
  await first;
  assert.deepEqual(leases.renew(6n, before), renewed(61));
  assert.ok(leases.renew(7n, during) instanceof Promise);
  assert.equal(questions.length, 2);
});
