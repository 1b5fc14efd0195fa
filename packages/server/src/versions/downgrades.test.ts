import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorSymbol } from '@quorate/api';
import { Downgrades } from './downgrades.ts';
import { VersionWorld } from './testing/version-world.ts';

function start(version?: string) {
  const world = new VersionWorld();
  if (version !== undefined) world.cluster.setClusterVersion(version);
  const reads: { count: number; refusal: ErrorSymbol | undefined } = { count: 0, refusal: undefined };
  const downgrades = new Downgrades({
    ...world,
    reads: {
      linearizableRead: (read) => {
        reads.count++;
        if (reads.refusal === undefined) read.readable();
        else read.failed(reads.refusal);
      },
    },
  });
  return { world, downgrades, reads };
}

const validations: readonly [cluster: string | undefined, target: string, refused: ErrorSymbol | undefined][] = [
  ['3.7.0', '', 'ErrGRPCWrongDowngradeVersionFormat'],
  ['3.7.0', 'x.y', 'ErrGRPCWrongDowngradeVersionFormat'],
  ['3.7.0', '3', 'ErrGRPCWrongDowngradeVersionFormat'],
  ['3.7.0', '3.6-rc.1', 'ErrGRPCWrongDowngradeVersionFormat'],
  ['3.7.0', '3.6.0.1', 'ErrGRPCWrongDowngradeVersionFormat'],
  // The format comes first, then the cluster's version.
  [undefined, 'x.y', 'ErrGRPCWrongDowngradeVersionFormat'],
  [undefined, '3.6', 'ErrGRPCClusterVersionUnavailable'],
  ['3.7.0', '3.5', 'ErrGRPCInvalidDowngradeTargetVersion'],
  ['3.7.0', '3.7', 'ErrGRPCInvalidDowngradeTargetVersion'],
  ['3.7.0', '3.8', 'ErrGRPCInvalidDowngradeTargetVersion'],
  ['3.7.0', '2.6', 'ErrGRPCInvalidDowngradeTargetVersion'],
  ['3.7.0', '3.6', undefined],
  ['3.7.0', '3.6.4', undefined],
  ['3.7.0', '3.6.0-rc.1', undefined],
];
for (const [cluster, target, refused] of validations) {
  test(`a cluster of version ${cluster} asked for ${JSON.stringify(target)}: ${refused ?? 'can'}`, async () => {
    const { downgrades, world } = start(cluster);
    assert.equal(await downgrades.validate(target), refused);
    assert.deepEqual(world.proposed, []);
  });
}

test('it is enabled by what the whole cluster applies, and then refused until it is cancelled', async () => {
  const { downgrades, world, reads } = start('3.7.0');
  const enabled = downgrades.enable('3.6.4');
  await world.clock.advance(0);
  assert.deepEqual(world.proposed, ['downgradeInfoSet true']);
  world.cluster.setDowngrade(true, '3.6.0');
  world.applyLast();
  assert.equal(await enabled, undefined);
  assert.equal(await downgrades.enable('3.6'), 'ErrGRPCDowngradeInProcess');
  // A target that is wrong is said before that.
  assert.equal(await downgrades.validate('3.5'), 'ErrGRPCInvalidDowngradeTargetVersion');
  const cancelled = downgrades.cancel();
  await world.clock.advance(0);
  assert.deepEqual(world.proposed.slice(1), ['downgradeInfoSet false']);
  world.cluster.setDowngrade(false, '');
  world.applyLast();
  await cancelled;
  assert.equal(reads.count, 4);
});

test('without a quorum it is refused; a cancel is answered as if done', async () => {
  const { downgrades, world, reads } = start('3.7.0');
  reads.refusal = 'ErrGRPCTimeout';
  assert.equal(await downgrades.validate('3.6'), 'ErrGRPCTimeout');
  assert.equal(await downgrades.enable('3.6'), 'ErrGRPCTimeout');
  await downgrades.cancel();
  reads.refusal = undefined;
  await downgrades.cancel();
  assert.deepEqual(world.proposed, []);
  world.refusal = 'ErrGRPCCorrupt';
  assert.equal(await downgrades.enable('3.6'), 'ErrGRPCCorrupt');
  assert.deepEqual(world.warnings, [
    'reject downgrade request',
    'failed to cancel downgrade',
    'failed to cancel downgrade',
    'reject downgrade request',
  ]);
});
