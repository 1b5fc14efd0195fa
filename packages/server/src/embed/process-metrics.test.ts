import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricsRegistry } from '../metrics/registry.ts';
import { registerProcessMetrics } from './process-metrics.ts';

function valuesOf(registry: MetricsRegistry): Map<string, number> {
  const lines = registry.expose().split('\n');
  return new Map(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const [name = '', value] = line.split(' ');
        return [name, Number(value)];
      }),
  );
}

test('the process shows itself, anew with each look', { skip: process.platform !== 'linux' && 'reads /proc' }, () => {
  const registry = new MetricsRegistry();
  registerProcessMetrics(registry);
  const first = valuesOf(registry);
  const second = valuesOf(registry);
  const at = (values: Map<string, number>, name: string) => values.get(name) ?? Number.NaN;
  for (const name of ['process_open_fds', 'process_resident_memory_bytes', 'process_virtual_memory_bytes']) {
    assert.ok(at(first, name) > 0, name);
  }
  assert.ok(at(first, 'process_max_fds') >= at(first, 'process_open_fds'));
  assert.equal(at(first, 'os_fd_limit'), at(first, 'process_max_fds'));
  assert.ok(Math.abs(Date.now() / 1000 - process.uptime() - at(first, 'process_start_time_seconds')) < 5);
  // Counters go on from where they were; they do not add up what is a total already.
  assert.ok(at(second, 'process_cpu_seconds_total') >= at(first, 'process_cpu_seconds_total'));
  const { user, system } = process.cpuUsage();
  assert.ok(at(second, 'process_cpu_seconds_total') <= (user + system) / 1e6);
});
