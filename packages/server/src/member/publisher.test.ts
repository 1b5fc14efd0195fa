import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfChangeKind } from '@quorate/machine';
import { VersionWorld } from '../versions/testing/version-world.ts';
import { Publisher } from './publisher.ts';

function publisherOf(world: VersionWorld): Publisher {
  return new Publisher({
    ...world,
    name: 'a',
    clientUrls: ['http://a:9'],
    pollTimeoutMs: 2_000,
    requestTimeoutMs: 7_000,
  });
}

const newForm = 'clusterMemberAttrSet 1 a';
const oldForm = 'PUT /0/members/1/attributes {"name":"a","clientURLs":["http://a:9"]}';

test('what is refused at once is said again later, not in the turn that refused it', async () => {
  const world = new VersionWorld();
  world.refusal = 'ErrGRPCRequestTooManyRequests';
  const publisher = publisherOf(world);
  publisher.leaderKnown();
  publisher.leaderKnown();
  assert.deepEqual(world.proposed, [newForm]);
  world.refusal = undefined;
  await world.clock.advance(500);
  assert.equal(world.proposed.length, 2);
  world.applyLast();
  await publisher.published;

  world.outcomes[1]?.failed('ErrGRPCTimeout');
  assert.equal(world.clock.timersSet, 1);
  publisher.stop();
  assert.equal(world.clock.timersSet, 0);
});

test('with a member of 3.4 it is said in the old form', async () => {
  const world = new VersionWorld(2n, 3n);
  world.run({ 2: '3.7.1', 3: '3.4.23' });
  publisherOf(world).leaderKnown();
  await world.clock.advance(0);
  assert.deepEqual(world.proposed, [oldForm]);
});

test('in a cluster of version 3.5 or later nobody is asked', () => {
  const world = new VersionWorld(2n);
  world.cluster.setClusterVersion('3.5.0');
  publisherOf(world).leaderKnown();
  assert.deepEqual([world.proposed, world.peers.asked], [[newForm], []]);
});

test('members that do not answer are waited for, but not for ever', async () => {
  const late = new VersionWorld(2n);
  publisherOf(late).leaderKnown();
  await late.clock.advance(2_000);
  late.run({ 2: '3.4.23' });
  await late.clock.advance(500);
  assert.deepEqual(late.proposed, [oldForm]);

  const never = new VersionWorld(2n);
  publisherOf(never).leaderKnown();
  await never.clock.advance(2_900);
  assert.deepEqual(never.proposed, []);
  await never.clock.advance(500);
  assert.deepEqual(never.proposed, [newForm]);
});

test('who has not found itself in the log yet says nothing', () => {
  const world = new VersionWorld();
  world.cluster.apply({ type: ConfChangeKind.removeNode, nodeId: 1n, context: new Uint8Array(0) });
  publisherOf(world).leaderKnown();
  assert.deepEqual(world.proposed, []);
});
