import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricsRegistry } from '../metrics/registry.ts';
import { makeQuota } from './make-quota.ts';
import { UpkeepWorld } from './testing/upkeep-world.ts';

const gibibyte = 2 ** 30;
const quotas: readonly [configured: number, bytes: number, gauge: number, lines: string[]][] = [
  [0, 2 * gibibyte, 2 * gibibyte, ['enabled backend quota with default value']],
  [-1, Number.POSITIVE_INFINITY, -1, ['disabled backend quota']],
  [1000, 1000, 1000, ['enabled backend quota']],
  [
    8 * gibibyte + 1,
    8 * gibibyte + 1,
    8 * gibibyte + 1,
    ['warn: quota exceeds the maximum value', 'enabled backend quota'],
  ],
];
for (const [configured, bytes, gauge, lines] of quotas) {
  test(`--quota-backend-bytes=${configured}`, () => {
    const world = new UpkeepWorld();
    const metrics = new MetricsRegistry();
    const quota = makeQuota({ ...world, metrics }, () => 0, configured);
    assert.equal(quota.bytes, bytes);
    assert.deepEqual(world.lines, lines);
    const line = metrics
      .expose()
      .split('\n')
      .find((text) => text.startsWith('etcd_server_quota_backend_bytes '));
    assert.equal(Number(line?.split(' ')[1]), gauge);
  });
}
