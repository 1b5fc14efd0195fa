import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, mvccpb } from '@quorate/api';
import { utf8ToBytes } from '@quorate/base';
import type { AppliedEntry } from '../history/history.ts';
import { checkSnapshots, type SavedSnapshot } from './check-snapshot.ts';
import type { DatabaseContent } from './database-content.ts';

const { InternalRaftRequest, LeaseGrantRequest, PutRequest } = etcdserverpb;
const [key, first, second] = ['k', '1', '2'].map(utf8ToBytes) as [Uint8Array, Uint8Array, Uint8Array];

const requests = [
  { leaseGrant: LeaseGrantRequest.create({ id: 7n, ttl: 5 }) },
  { put: PutRequest.create({ key, value: first }) },
  { put: PutRequest.create({ key, value: second }) },
];
const log: AppliedEntry[] = requests.map((request, i) => ({
  ...{ index: i + 1, term: 1 },
  data: InternalRaftRequest.encode(InternalRaftRequest.create(request)).slice(),
}));

function put(main: number, version: number, value: Uint8Array) {
  const keyValue = mvccpb.KeyValue.create({ key, value, createRevision: 2, modRevision: main, version });
  return { main, sub: 0, isTombstone: false, keyValue };
}

const sound: DatabaseContent = {
  ...{ index: 3, revision: 3, compactRevision: -1, finishedCompactRevision: -1 },
  records: [put(2, 1, first), put(3, 2, second)],
  leases: new Map([[7n, 5]]),
  ...{ users: [], areUsersAsked: false, alarms: 0, problems: [] },
};

function violations(content: Partial<DatabaseContent>, rest: Partial<SavedSnapshot> = {}): string[] {
  const snapshot: SavedSnapshot = {
    ...{ member: 'm0.1', bytes: new Uint8Array(0), revisionMin: 2, revisionMax: 3 },
    ...rest,
    content: { ...sound, ...content },
  };
  return checkSnapshots([snapshot], log).map(({ text }) => text);
}

test('a snapshot that says what the log says is right, and each difference is told', () => {
  assert.deepEqual(violations({}), []);
  // Of an earlier entry, and right about that.
  assert.deepEqual(violations({ index: 2, revision: 2, records: [put(2, 1, first)] }), []);
  const cases: readonly (readonly [Partial<DatabaseContent>, RegExp])[] = [
    [{ records: [put(2, 1, first)] }, /0 of 1 records of revision 3/],
    [{ records: [put(3, 2, second)] }, /0 of 1 records of revision 2/],
    [{ records: [put(2, 1, first), put(3, 2, first)] }, /record 3\.0 of k is not what was done/],
    [{ index: 2 }, /the log is at revision 2/],
    [{ index: 4 }, /holds entries up to 4, and 3 were applied/],
    [{ leases: new Map() }, /has 0 leases of 1/],
    [{ leases: new Map([[8n, 5]]) }, /has lease 8, which is not there/],
    [{ compactRevision: 2 }, /compacted at 2, by the log at -1/],
    [{ problems: ['page 3: reached twice'] }, /page 3: reached twice/],
  ];
  for (const [content, expected] of cases) assert.match(violations(content).join('\n'), expected);
});

test('a snapshot has all that its member had when it was asked, and nothing from behind the first answer', () => {
  assert.match(violations({}, { revisionMin: 4 }).join('\n'), /was asked for at revision 4/);
  assert.match(violations({}, { revisionMax: 2 }).join('\n'), /came when the member was at revision 2/);
});
