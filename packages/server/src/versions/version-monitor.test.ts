import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VersionWorld } from './testing/version-world.ts';
import { VersionMonitor } from './version-monitor.ts';

function monitorOf(world: VersionWorld): VersionMonitor {
  const monitor = new VersionMonitor(world, { pollTimeoutMs: 2_000, downgradeCheckMs: 5_000 });
  monitor.start();
  return monitor;
}

test('alone it decides in the turn in which it leads', () => {
  const world = new VersionWorld();
  const monitor = monitorOf(world);
  monitor.firstCommitInTerm();
  assert.deepEqual(world.proposed, ['clusterVersionSet 3.7.0']);
  monitor.stop();
  assert.equal(world.clock.timersSet, 0);
});

test('the version is that of the oldest member, said in the form that this one understands', async () => {
  const world = new VersionWorld(2n, 3n);
  world.run({ 2: '3.4.23', 3: '3.7.1' });
  const monitor = monitorOf(world);
  monitor.firstCommitInTerm();
  await world.clock.advance(0);
  assert.deepEqual(world.proposed, ['PUT /0/version 3.4.0']);
  world.applyLast('3.4.0');
  await world.clock.advance(8_000);
  assert.equal(world.proposed.length, 1);

  world.run({ 2: undefined });
  await world.clock.advance(4_000);
  assert.equal(world.proposed.length, 1);
  world.run({ 2: '3.7.1' });
  await world.clock.advance(4_000);
  assert.deepEqual(world.proposed.slice(1), ['clusterVersionSet 3.7.0']);
  monitor.stop();
});

test('members that do not answer are waited for before a new cluster gets a version without them', async () => {
  const world = new VersionWorld(2n, 3n);
  world.run({ 2: '3.7.1' });
  const monitor = monitorOf(world);
  monitor.firstCommitInTerm();
  await world.clock.advance(2_900);
  assert.deepEqual(world.proposed, []);
  await world.clock.advance(500);
  assert.deepEqual(world.proposed, ['clusterVersionSet 3.0.0']);
  world.applyLast('3.0.0');
  world.run({ 3: '3.7.1' });
  await world.clock.advance(4_000);
  assert.deepEqual(world.proposed.slice(1), ['clusterVersionSet 3.7.0']);
  monitor.stop();
});

test('a late member of 3.4 keeps the form that it understands', async () => {
  const world = new VersionWorld(2n, 3n);
  world.run({ 2: '3.7.1' });
  const monitor = monitorOf(world);
  monitor.firstCommitInTerm();
  await world.clock.advance(2_000);
  world.run({ 3: '3.4.23' });
  await world.clock.advance(500);
  assert.deepEqual(world.proposed, ['PUT /0/version 3.4.0']);
  monitor.stop();
});

test('only a leader decides, also when it lost its place while it asked; a refusal is tried again', async () => {
  const world = new VersionWorld(2n);
  world.run({ 2: '3.7.1' });
  const monitor = monitorOf(world);
  world.leads = false;
  await world.clock.advance(4_000);
  assert.deepEqual(world.peers.asked, []);
  world.leads = true;
  monitor.firstCommitInTerm();
  world.leads = false;
  await world.clock.advance(3_000);
  assert.deepEqual([world.peers.asked.length, world.proposed], [1, []]);
  world.leads = true;
  world.refusal = 'ErrGRPCTimeout';
  await world.clock.advance(4_000);
  await world.clock.advance(4_000);
  assert.deepEqual(world.proposed, ['clusterVersionSet 3.7.0', 'clusterVersionSet 3.7.0']);
  monitor.stop();
});

test('a downgrade lowers the version, and ends when all members run its target', async () => {
  const world = new VersionWorld(2n);
  world.run({ 2: '3.7.1' });
  world.cluster.setClusterVersion('3.7.0');
  world.cluster.setDowngrade(true, '3.6.0');
  const monitor = monitorOf(world);
  await world.clock.advance(4_000);
  assert.deepEqual(world.proposed, ['clusterVersionSet 3.6.0']);
  world.applyLast('3.6.0');
  world.run({ 2: '3.6.5' });
  await world.clock.advance(20_000);
  // This member runs 3.7 and stays.
  assert.equal(world.proposed.length, 1);
  monitor.stop();
});

test('a downgrade to what all run is cancelled', async () => {
  const world = new VersionWorld(2n);
  world.run({ 2: '3.7.0' });
  world.cluster.setClusterVersion('3.7.0');
  world.cluster.setDowngrade(true, '3.7.0');
  const monitor = monitorOf(world);
  await world.clock.advance(5_000);
  assert.deepEqual(world.proposed, ['downgradeInfoSet false']);
  monitor.stop();
});
