import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import type { TimedEntry } from '../history/history.ts';
import { checkVigil, type VigilLease } from './check-vigil.ts';

const { InternalRaftRequest, LeaseRevokeRequest } = etcdserverpb;

const lease: VigilLease = {
  ...{ id: 7n, client: -1, ttlSeconds: 1_000, losses: [], revokedMs: undefined },
  renewals: [{ sentMs: 0, answeredMs: 10, ttlSeconds: 1_000 }],
};

/** Leaders that began at those times, and the end of the lease. */
function logOf(leadersMs: readonly number[], endedMs: number | undefined): TimedEntry[] {
  const log = [0, ...leadersMs].map((appliedMs, i): TimedEntry => {
    return { index: i + 1, term: i + 2, data: new Uint8Array(0), appliedMs };
  });
  if (endedMs === undefined) return log;
  const request = InternalRaftRequest.create({ leaseRevoke: LeaseRevokeRequest.create({ id: 7n }) });
  const data = InternalRaftRequest.encode(request).slice();
  return [...log, { index: log.length + 1, term: log.length + 1, data, appliedMs: endedMs }];
}

test('a lease that nobody renews ends in its time, and later only by what a leader that came could not know', () => {
  const found = (leadersMs: readonly number[], endedMs: number | undefined, hasCheckpoints = true) =>
    checkVigil([lease], logOf(leadersMs, endedMs), hasCheckpoints).map(({ text }) => text);
  assert.deepEqual(found([], 1_001_000), []);
  assert.match(found([], 1_100_000).join(), /ended at 1100000 after 0 changes of the leader/);
  assert.match(found([], undefined).join(), /never ended/);
  assert.deepEqual(found([900_000], 1_300_000), []);
  assert.match(found([900_000], 1_900_000).join(), /after 1 changes/);
  assert.deepEqual(found([900_000], 1_900_000, false), []);
  assert.match(found([900_000], 2_200_000, false).join(), /after 1 changes/);
});
