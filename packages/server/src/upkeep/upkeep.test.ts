import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { SeededRandom } from '@quorate/base';
import { AlarmStore, type MvccStore, openStore, Quota } from '@quorate/machine';
import { createMemoryBackend } from '@quorate/storage';
import { listed } from '../bootstrap/testing/peers.ts';
import { makeConfig } from '../config/config.ts';
import { parseArguments } from '../config/parse.ts';
import { settle } from '../testing/manual-clock.ts';
import { UpkeepWorld } from './testing/upkeep-world.ts';
import { Upkeep } from './upkeep.ts';

const { AlarmType } = etcdserverpb;

/** Member 1 of three with an empty store; the hashes of the others are what `hashOf` says. */
async function start(flags: readonly string[], hashOf: (url: string) => number = () => 0) {
  const world = new UpkeepWorld();
  const { clock, logger } = world;
  const backend = createMemoryBackend({ clock });
  const store: MvccStore = await openStore({ backend, clock, logger, random: new SeededRandom(1) });
  const alarms = new AlarmStore(backend);
  const asked: string[] = [];
  const upkeep = new Upkeep(
    {
      ...{ clock, logger, alarms },
      memberId: 1n,
      clusterId: 9n,
      cluster: { members: [1n, 2n, 3n].map((id) => listed(id, `http://m${id}:1`)) },
      peerClient: {
        hashKeys: async (url, revision) => {
          asked.push(`${url} at ${revision}`);
          return { revision, hash: hashOf(url), compactRevision: -1, hashRevision: revision };
        },
      },
      replica: {
        ...world.proposals,
        linearizableRead: (read) => read.readable(),
        get isLeader() {
          return world.leads;
        },
      },
      quota: new Quota(() => 0, 0),
      store: () => store,
    },
    { ...makeConfig(parseArguments(flags)), requestTimeoutMs: 7_000 },
  );
  return { world, upkeep, alarms, asked, backend };
}

test('nothing is done unless it is asked for', async () => {
  const { world, upkeep, asked, backend } = await start([]);
  backend.setConsistentIndex(5, 1);
  await upkeep.checkInitially();
  upkeep.start();
  assert.equal(world.clock.timersSet, 0);
  assert.deepEqual([asked, world.lines], [[], []]);
});

test('what is asked for is done in its time, by a leader alone, and not after the end', async () => {
  const flags = ['--auto-compaction-retention=1m', '--corrupt-check-time=20s', '--auto-disarm-nospace'];
  const { world, upkeep, alarms, asked } = await start(flags, (url) => (url === 'http://m3:1' ? 7 : 0));
  world.leads = false;
  upkeep.start();
  assert.deepEqual(world.lines, ['enabled corruption checking']);
  await world.clock.advance(20_000);
  assert.deepEqual([asked, world.proposed], [[], []]);
  world.leads = true;
  await world.clock.advance(20_000);
  assert.deepEqual(asked, ['http://m2:1 at 1', 'http://m3:1 at 1']);
  assert.deepEqual(world.proposed, ['raise CORRUPT of 2']);
  // It is raised: no need to propose it once more.
  alarms.activate(2n, AlarmType.CORRUPT);
  await world.clock.advance(20_000);
  assert.deepEqual(world.proposed.slice(1), ['compact 1']);
  alarms.activate(1n, AlarmType.NOSPACE);
  await world.clock.advance(5_000);
  assert.deepEqual(world.proposed.slice(2), ['lower NOSPACE of 1']);
  upkeep.stop();
  assert.equal(world.clock.timersSet, 0);
});

test('a check that is under way at the end raises nothing', async () => {
  const { world, upkeep } = await start(['--corrupt-check-time=20s'], () => 7);
  upkeep.start();
  const passing = world.clock.advance(20_000);
  upkeep.stop();
  await passing;
  await settle();
  assert.deepEqual(world.proposed, []);
});

test('the check at the start is for members that have data', async () => {
  const { upkeep, backend, world } = await start(['--feature-gates=InitialCorruptCheck=true'], () => 7);
  await upkeep.checkInitially();
  assert.deepEqual(world.lines, []);
  backend.setConsistentIndex(5, 1);
  await assert.rejects(upkeep.checkInitially(), { code: 'member/inconsistent' });
  assert.equal(world.lines.at(-1), 'error: checkInitialHashKV failed');
  assert.deepEqual(world.fields.at(-1), { error: '1 found data inconsistency with peers' });
});
