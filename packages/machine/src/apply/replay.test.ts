import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { latin1FromBytes, latin1ToBytes, MemoryDisk, nextBelow, nextTurn, SeededRandom } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { type Backend, openBackend } from '@quorate/storage';
import { hashKeys } from '../mvcc/hash.ts';
import { compare, deleteOp, putOp, rangeOp, TestMachine, txnOp } from './testing/test-machine.ts';

const clock = new NodeClock();
const { CompareTarget, CompareResult, InternalRaftRequest, RequestHeader } = etcdserverpb;

function randomKey(random: SeededRandom): string {
  return `key ${nextBelow(random, 60)}`;
}

function randomOps(random: SeededRandom, depth: number): etcdserverpb.RequestOp[] {
  return Array.from({ length: nextBelow(random, 4) }, () => {
    switch (nextBelow(random, 4 + depth)) {
      case 0:
        return deleteOp(randomKey(random), nextBelow(random, 2) === 0 ? '' : randomKey(random));
      case 1:
        return rangeOp(randomKey(random));
      case 4:
        return txnOp(randomTxn(random, 0));
      default:
        return putOp(randomKey(random), `value ${random.nextUint32()}`, { prevKv: nextBelow(random, 2) === 0 });
    }
  });
}

function randomTxn(random: SeededRandom, depth: number): etcdserverpb.TxnRequest {
  return etcdserverpb.TxnRequest.create({
    compare: [
      compare(randomKey(random), {
        target: CompareTarget.VERSION,
        result: CompareResult.GREATER,
        version: nextBelow(random, 3),
      }),
    ],
    success: randomOps(random, depth),
    failure: randomOps(random, depth),
  });
}

/** Entries as a log has them; some are refused when applied. */
function randomEntries(random: SeededRandom, count: number): { index: number; term: number; data: Uint8Array }[] {
  let changes = 1;
  return Array.from({ length: count }, (_, i) => {
    const request = InternalRaftRequest.create({ header: RequestHeader.create({ id: BigInt(i + 1) }) });
    const key = latin1ToBytes(randomKey(random));
    const kind = nextBelow(random, 100);
    changes += 1;
    if (kind < 50) {
      const value = latin1ToBytes('v'.repeat(nextBelow(random, 300)));
      const lease = nextBelow(random, 3) === 0 ? BigInt(nextBelow(random, 4)) : 0n;
      request.put = etcdserverpb.PutRequest.create({ key, value, lease });
    } else if (kind < 65) request.deleteRange = etcdserverpb.DeleteRangeRequest.create({ key });
    else if (kind < 90) request.txn = randomTxn(random, 1);
    else if (kind < 93) {
      request.compaction = etcdserverpb.CompactionRequest.create({ revision: nextBelow(random, changes) });
    } else if (kind < 97) {
      request.leaseGrant = etcdserverpb.LeaseGrantRequest.create({ id: BigInt(1 + nextBelow(random, 3)), ttl: 100 });
    } else request.leaseRevoke = etcdserverpb.LeaseRevokeRequest.create({ id: BigInt(1 + nextBelow(random, 3)) });
    return { index: i + 1, term: 1 + Math.floor(i / 100), data: InternalRaftRequest.encode(request) };
  });
}

async function describe(machine: TestMachine): Promise<unknown> {
  await machine.store.whenCompacted();
  machine.store.index.verify();
  const records: string[] = [];
  machine.backend.rangeRevisions(0, 0, Number.MAX_SAFE_INTEGER, (main, sub, tombstone, value) => {
    records.push(`${main}_${sub}${tombstone ? 't' : ''} ${latin1FromBytes(value)}`);
    return true;
  });
  const leases = [1n, 2n, 3n].map((lease) => [machine.lessor.has(lease), machine.lessor.keysOf(lease).sort()]);
  const { currentRevision, compactRevision, keyCount } = machine.store;
  // What a compaction stored before the crash is lost with it: past the end there is none.
  const hash = compactRevision < currentRevision ? await hashKeys(machine.store, currentRevision) : undefined;
  return { records, leases, currentRevision, compactRevision, keyCount, hash, index: machine.applier.appliedIndex };
}

async function runCrashes(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const entries = randomEntries(random, 400);
  const steady = await TestMachine.open(clock);
  steady.applier.applyAll(entries, () => {});
  const disk = new MemoryDisk();
  const open = (): Promise<Backend> => openBackend({ disk, clock }, '/db', { onFatal() {}, batchLimit: 40 });
  let backend = await open();
  let machine = await TestMachine.open(clock, { backend });
  let hasCrashed = false;
  for (let at = machine.applier.appliedIndex; at < entries.length; ) {
    for (let i = nextBelow(random, 30); i >= 0 && at < entries.length; i--) {
      machine.applier.apply(entries[at++] as (typeof entries)[number], () => {});
    }
    if (nextBelow(random, 3) === 0) await nextTurn(clock);
    if (nextBelow(random, 12) === 0) await backend.commit();
    // The last of it is always replayed once.
    if (nextBelow(random, 6) !== 0 && (hasCrashed || at < entries.length)) continue;
    hasCrashed = true;
    machine.store.close();
    disk.crash(random, nextBelow(random, 2) === 0 ? 'torn' : 'synced');
    backend = await open();
    machine = await TestMachine.open(clock, { backend });
    // Raft starts again from some entry at or before the consistent index.
    at = nextBelow(random, machine.applier.appliedIndex + 1);
    machine.applier.appliedIndex = at;
  }
  assert.ok(hasCrashed);
  assert.deepEqual(await describe(machine), await describe(steady));
  machine.store.close();
  await backend.close();
}

test('a member that crashes and replays its log ends where one that never crashed does', async () => {
  const rounds = Number(process.env.QUORATE_ROUNDS ?? 4);
  for (let round = 0; round < rounds; round++) {
    const seed = Number(process.env.QUORATE_SEED ?? round + 1);
    try {
      await runCrashes(seed);
    } catch (error) {
      console.error(`seed ${seed}`);
      throw error;
    }
  }
});
