import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { encodeV2Attributes } from '@quorate/machine';
import { createEntry, EntryType } from '@quorate/raft';
import type { LeaseRecord, TimedEntry } from '../history/history.ts';
import { Agreement, type Outcome } from './agreement.ts';
import { checkExclusion } from './exclusion.ts';
import { checkLeases } from './leases.ts';
import { checkPermissions } from './permissions.ts';

const configuration = '[1] and learners []';
const opened = { revision: 1, authRevision: 1, configuration };

function entryOf(index: number, term = 2, id = 1n) {
  const data = etcdserverpb.InternalRaftRequest.encode(etcdserverpb.InternalRaftRequest.create({ id }));
  return createEntry(term, index, EntryType.Normal, data);
}

function outcome(revision: number, refusal?: Outcome['refusal']): Outcome {
  return { revision, authRevision: 1, configuration, refusal };
}

describe('agreement', () => {
  test('is there when all apply the same, and a restarted member may stand where its database stands', () => {
    const agreement = new Agreement();
    agreement.applied('a', 1, entryOf(1), outcome(2), opened);
    agreement.applied('a', 2, entryOf(2), outcome(3), opened);
    agreement.applied('b', 3, entryOf(1), outcome(2), opened);
    agreement.applied('a', 4, entryOf(1), outcome(3), { ...opened, revision: 3 });
    assert.deepEqual(agreement.violations, []);
    assert.deepEqual(
      agreement.log().map(({ index, appliedMs }) => [index, appliedMs]),
      [
        [1, 1],
        [2, 2],
      ],
    );
  });

  test('attributes in the form of version 2 are nothing to keys', () => {
    const agreement = new Agreement();
    const attributes = encodeV2Attributes(7n, 2n, 'm2', ['http://localhost:1']);
    agreement.applied('a', 1, entryOf(1), outcome(2), opened);
    agreement.applied('a', 2, createEntry(2, 2, EntryType.Normal, attributes), outcome(2), opened);
    assert.deepEqual(
      agreement.log().map(({ data }) => data.length > 0),
      [true, false],
    );
  });

  const cases: readonly [string, (agreement: Agreement) => void, RegExp][] = [
    ['another term', (one) => one.applied('b', 2, entryOf(1, 3), outcome(2), opened), /another entry at 1/],
    ['other data', (one) => one.applied('b', 2, entryOf(1, 2, 7n), outcome(2), opened), /another entry at 1/],
    ['another revision', (one) => one.applied('b', 2, entryOf(1), outcome(3), opened), /at revision 3 after entry 1/],
    [
      'another outcome',
      (one) => one.applied('b', 2, entryOf(1), outcome(2, 'ErrGRPCPermissionDenied'), opened),
      /answers entry 1 with ErrGRPCPermissionDenied, another with success/,
    ],
    [
      'another configuration',
      (one) => one.applied('b', 2, entryOf(1), { ...outcome(2), configuration: '[1 2] and learners []' }, opened),
      /b has members \[1 2\] and learners \[\] after entry 1, another has \[1\]/,
    ],
  ];
  for (const [name, apply, expected] of cases) {
    test(`is broken by ${name}`, () => {
      const agreement = new Agreement();
      agreement.applied('a', 1, entryOf(1), outcome(2), opened);
      apply(agreement);
      assert.match(agreement.violations[0]?.text ?? '', expected);
    });
  }

  test('a change of members does not tell yet who they are', () => {
    const change = (index: number) => createEntry(2, index, EntryType.ConfChange, new Uint8Array(1));
    const agreement = new Agreement();
    for (const index of [1, 2]) agreement.applied('a', index, change(index), outcome(1), opened);
    agreement.applied('a', 3, entryOf(3), outcome(1), opened);
    agreement.applied('b', 4, change(1), { ...outcome(1), configuration: '[] and learners []' }, opened);
    assert.deepEqual(agreement.violations, []);
    agreement.applied('b', 5, entryOf(3), { ...outcome(1), configuration: '[] and learners []' }, opened);
    assert.equal(agreement.violations.length, 1);
  });

  test('a gap in what anybody applied is told', () => {
    const agreement = new Agreement();
    agreement.applied('a', 1, entryOf(2), outcome(2), opened);
    agreement.log();
    assert.match(agreement.violations[0]?.text ?? '', /nobody was seen to apply entry 1/);
  });
});

describe('leases', () => {
  const { InternalRaftRequest, LeaseRevokeRequest } = etcdserverpb;
  const revoked = (atMs: number): TimedEntry[] => [
    {
      ...{ index: 1, term: 2, appliedMs: atMs },
      data: InternalRaftRequest.encode(
        InternalRaftRequest.create({ leaseRevoke: LeaseRevokeRequest.create({ id: 7n }) }),
      ),
    },
  ];
  const lease = (more: Partial<LeaseRecord> = {}): LeaseRecord => ({
    ...{ id: 7n, client: 0, ttlSeconds: 2, losses: [], revokedMs: undefined },
    renewals: [{ sentMs: 1_000, answeredMs: 1_001, ttlSeconds: 2 }],
    ...more,
  });
  const texts = (one: LeaseRecord, log: readonly TimedEntry[]) =>
    checkLeases([one], log)
      .map(({ text }) => text)
      .join();

  test('one that ends in its time, or because its holder asked, is right', () => {
    assert.equal(texts(lease(), revoked(3_000)), '');
    assert.equal(texts(lease({ revokedMs: 1_100 }), revoked(1_200)), '');
    const slow = [{ sentMs: 1_000, answeredMs: 3_100, ttlSeconds: 2 }];
    assert.equal(texts(lease({ renewals: slow }), revoked(3_000)), '');
  });

  test('an early end, a renewal after the end, and a loss that never was are found', () => {
    assert.match(texts(lease(), revoked(2_500)), /ended at 2500/);
    // Sent before the end and answered after it: if it was done before, the end was early, and else it must not have been.
    const late = [{ sentMs: 2_900, answeredMs: 3_100, ttlSeconds: 2 }];
    assert.match(texts(lease({ renewals: late }), revoked(3_000)), /ended at 3000/);
    const after = [{ sentMs: 3_100, answeredMs: 3_200, ttlSeconds: 2 }];
    assert.match(texts(lease({ renewals: after }), revoked(3_000)), /was renewed at 3100/);
    const refused = revoked(3_000).map((entry) => ({ ...entry, isRefused: true }));
    assert.equal(texts(lease({ renewals: after }), refused), '');
    const losses = [{ sentMs: 1_500, answeredMs: 1_600 }];
    assert.match(texts(lease({ losses }), []), /never was/);
    assert.match(texts(lease({ losses }), revoked(3_000)), /before it ended/);
  });
});

test('a write with an earlier token after one with a later is found, locks and elections apart', () => {
  const write = (what: 'lock' | 'election', token: number, revision: number) => ({ what, client: 0, token, revision });
  assert.deepEqual(checkExclusion([write('lock', 5, 9), write('election', 3, 10), write('lock', 8, 11)]), []);
  assert.equal(checkExclusion([write('lock', 8, 11), write('lock', 5, 12), write('lock', 8, 13)]).length, 1);
});

test('what the guest may is judged only where no change of it is under way', () => {
  const change = (isAllowed: boolean, invokedMs: number, returnedMs: number) => ({ isAllowed, invokedMs, returnedMs });
  const put = (isDenied: boolean, invokedMs: number, returnedMs: number) => ({
    ...{ what: 'put' as const, member: 'm0', isDenied },
    ...{ invokedMs, returnedMs },
  });
  const changes = [change(true, 10, 20), change(false, 50, Number.POSITIVE_INFINITY)];
  const right = [put(true, 1, 5), put(false, 5, 15), put(true, 15, 25), put(false, 30, 40), put(true, 60, 70)];
  assert.deepEqual(checkPermissions(right, changes), []);
  assert.match(checkPermissions([put(false, 1, 5)], changes)[0]?.text ?? '', /was allowed/);
  assert.match(checkPermissions([put(true, 30, 40)], changes)[0]?.text ?? '', /was denied/);
});
