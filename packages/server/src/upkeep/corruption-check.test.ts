import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorSymbol } from '@quorate/api';
import { hasCode } from '@quorate/base';
import type { CompactionHash, KeyHashResult } from '@quorate/machine';
import { CorruptionCheck } from './corruption-check.ts';
import type { PeerHashAnswer } from './peer-hashes.ts';
import { UpkeepWorld } from './testing/upkeep-world.ts';

/** `revision/compact revision/hash`, and `/other hash` where there is one; the revision of the hash is that of the store. */
function hashOf(text: string): KeyHashResult {
  const [revision = 0, compactRevision = 0, hash = 0, otherHash] = text.split('/').map(Number);
  const result = { hash, compactRevision, hashRevision: revision, currentRevision: revision };
  return otherHash === undefined ? result : { ...result, otherHash };
}

/** Of members 2, 3 ...; anything that is no hash is the reason why there is none. */
function peersOf(...texts: string[]): PeerHashAnswer[] {
  return texts.map((text, i) => {
    const found = text.includes('/') ? hashOf(text) : undefined;
    const hash = found === undefined ? undefined : { ...found, revision: found.currentRevision };
    const reason = hash === undefined ? (text as PeerHashAnswer['reason']) : 'answered';
    return { id: BigInt(i + 2), urls: [`http://m${i + 2}:1`], hash, reason };
  });
}

/** Member 1; `own` is what its hashes are, one after the other, the last one again and again. */
function checkOf(own: readonly (KeyHashResult | ErrorSymbol)[], peers: readonly PeerHashAnswer[]) {
  const world = new UpkeepWorld();
  const raised: bigint[] = [];
  const asked: number[] = [];
  let left = own;
  let stored: readonly CompactionHash[] = [];
  let answers = () => peers;
  const check = new CorruptionCheck({
    logger: world.logger,
    memberId: 1n,
    hash: async () => {
      const hash = left[0] as KeyHashResult | ErrorSymbol;
      if (left.length > 1) left = left.slice(1);
      return hash;
    },
    compactionHashes: () => stored,
    askPeers: async (revision) => {
      asked.push(revision);
      return answers();
    },
    catchUp: () => Promise.resolve(),
    raise: (id) => raised.push(id),
    requestTimeoutMs: 7_000,
  });
  return {
    ...{ check, world, raised, asked },
    store: (...texts: string[]) => {
      stored = texts.map(hashOf);
    },
    answer: (next: () => readonly PeerHashAnswer[]) => {
      answers = next;
    },
  };
}

const initial: readonly [peers: string[], line: string | undefined][] = [
  [['9/3/77', '9/3/77'], undefined],
  [['9/5/78', '9/3/77'], 'warn: found different compact revision values from remote peer'],
  [['behind', '9/3/77'], 'warn: cannot fetch hash from slow remote peer'],
  [['compacted', 'unreachable'], 'warn: cannot fetch hash from remote peer; local member is behind'],
  [['other-cluster', '9/3/77'], 'warn: cluster ID mismatch'],
];
for (const [peers, line] of initial) {
  test(`at the start: goes on with peers ${peers.join(' ')}`, async () => {
    const { check, world, asked } = checkOf([hashOf('9/3/77')], peersOf(...peers));
    await check.initially();
    assert.deepEqual(asked, [9]);
    assert.deepEqual(world.lines, [
      'starting initial corruption check',
      ...(line === undefined ? [] : [line]),
      'initial corruption checking passed; no corruption',
    ]);
  });
}

test('a peer that has compacted at the revision, or has not yet, has the same data', async () => {
  const own = '9/3/77/78';
  const run = checkOf([hashOf(own)], peersOf('9/3/78', '9/3/77', '9/3/78'));
  await run.check.initially();
  await run.check.periodically();
  run.store(own);
  await run.check.compactions();
  assert.deepEqual(run.raised, []);
  assert.equal(run.world.lines.at(-2), 'successfully checked hash on whole cluster');
  const other = checkOf([hashOf(own)], peersOf('9/3/79', '9/3/77', '9/3/78'));
  await assert.rejects(other.check.initially());
  await other.check.periodically();
  other.store(own);
  await other.check.compactions();
  assert.deepEqual(other.raised, [2n, 2n]);
});

test('at the start: another hash at the same compaction ends it, whoever is right', async () => {
  const { check, world } = checkOf([hashOf('9/3/77')], peersOf('9/3/77', '12/3/78'));
  await assert.rejects(check.initially(), (error: Error) => {
    assert.ok(hasCode(error, 'member/inconsistent'));
    return error.message === '1 found data inconsistency with peers';
  });
  assert.equal(world.lines[1], 'warn: found different hash values from remote peer');
  assert.deepEqual(world.fields[1], {
    'local-member-id': '1',
    'local-member-revision': 9,
    'local-member-compact-revision': 3,
    'local-member-hash': 77,
    'remote-peer-id': '3',
    'remote-peer-endpoints': ['http://m3:1'],
    'remote-peer-revision': 12,
    'remote-peer-compact-revision': 3,
    'remote-peer-hash': 78,
  });
});

const periodic: readonly [own: string[], peers: string[], raised: bigint[], line: string | undefined][] = [
  [['9/3/77'], ['9/3/77', '9/3/77'], [], undefined],
  [['9/3/77', '12/3/80'], ['9/3/77', 'unreachable'], [], undefined],
  // Compactions between the questions.
  [['9/3/77', '9/5/70'], ['9/5/70', '9/3/77'], [], undefined],
  [['9/3/77', '9/3/78'], ['9/3/77', '9/3/77'], [1n], 'warn: found hash mismatch'],
  [['9/3/77'], ['9/3/77', '9/3/78'], [3n], 'warn: same compact revision then hashes must match'],
  [['9/3/77'], ['10/3/77', '9/3/77'], [2n], "warn: revision from follower must be less than or equal to leader's"],
  [
    ['9/3/77'],
    ['9/4/70', '9/3/77'],
    [2n],
    "warn: compact revision from follower must be less than or equal to leader's",
  ],
  // One alarm a time.
  [['9/3/77'], ['9/3/78', '9/3/79'], [2n], 'warn: same compact revision then hashes must match'],
];
for (const [own, peers, raised, line] of periodic) {
  test(`from time to time: ${own.join(' then ')} against ${peers.join(' ')} raises ${raised.join() || 'nothing'}`, async () => {
    const run = checkOf(own.map(hashOf), peersOf(...peers));
    await run.check.periodically();
    assert.deepEqual(run.raised, raised);
    assert.equal(run.world.lines[0], line ?? 'finished peer corruption check');
    assert.equal(run.world.lines.at(-1), 'finished peer corruption check');
    assert.deepEqual(run.world.fields.at(-1), {
      'number-of-peers-checked': peers.filter((one) => one.includes('/')).length,
    });
  });
}

const compactions: readonly [peers: string[], raised: bigint[]][] = [
  [['9/3/77', '9/3/77'], []],
  [['9/3/77', '9/3/78'], [3n]],
  [['9/3/78', '9/3/78'], [1n]],
  [['9/3/78', '9/3/79'], [0n]],
  [['9/3/78', 'unreachable'], [0n]],
  [
    ['9/3/77', '9/3/78', '9/3/79', '9/3/77'],
    [3n, 4n],
  ],
];
for (const [peers, raised] of compactions) {
  test(`after a compaction: 9/3/77 against ${peers.join(' ')} raises ${raised.join() || 'nothing'}`, async () => {
    const run = checkOf([hashOf('9/3/77')], peersOf(...peers));
    run.store('9/3/77');
    await run.check.compactions();
    assert.deepEqual(run.raised, raised);
    assert.equal(run.world.lines[0], 'starting compact hash check');
    assert.equal(run.world.lines.at(-1), 'finished compaction hash check');
    const hasError = run.world.lines.includes('error: Detected compaction hash mismatch');
    assert.equal(hasError, raised.length > 0);
  });
}

test('after a compaction: an older one that all can answer for is found, and not looked at again', async () => {
  const run = checkOf([hashOf('20/9/1')], []);
  run.store('20/9/3', '9/3/77', '3/-1/5');
  run.answer(() => (run.asked.at(-1) === 20 ? peersOf('20/9/3', 'behind') : peersOf('9/3/77', '9/3/77')));
  await run.check.compactions();
  assert.deepEqual(run.asked, [20, 9]);
  assert.deepEqual(run.world.fields.at(-1), { 'number-of-hashes-checked': 2 });
  run.answer(() => peersOf('20/9/3', 'behind'));
  await run.check.compactions();
  assert.deepEqual(run.asked, [20, 9, 20]);
  run.answer(() => peersOf('20/9/3', '20/9/3'));
  await run.check.compactions();
  await run.check.compactions();
  assert.deepEqual(run.asked, [20, 9, 20, 20]);
  assert.deepEqual(run.raised, []);
});
