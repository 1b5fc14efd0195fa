import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exponentialBounds, formatGoFloat, MetricsRegistry } from './registry.ts';

test('prints counters, gauges and histograms in the text format', () => {
  const registry = new MetricsRegistry();
  registry.counter('b_total', 'Things.', { kind: 'a"b' }).add(2);
  registry.gauge('a', 'Level.').set(2_147_483_648);
  const histogram = registry.histogram('c_seconds', 'Time.', [0.5, 1]);
  for (const value of [0.1, 0.7, 5]) histogram.observe(value);
  assert.equal(
    registry.expose(),
    [
      '# HELP a Level.',
      '# TYPE a gauge',
      'a 2.147483648e+09',
      '# HELP b_total Things.',
      '# TYPE b_total counter',
      'b_total{kind="a\\"b"} 2',
      '# HELP c_seconds Time.',
      '# TYPE c_seconds histogram',
      'c_seconds_bucket{le="0.5"} 1',
      'c_seconds_bucket{le="1"} 2',
      'c_seconds_bucket{le="+Inf"} 3',
      'c_seconds_sum 5.8',
      'c_seconds_count 3',
      '',
    ].join('\n'),
  );
});

test('the same name and labels are the same cell', () => {
  const registry = new MetricsRegistry();
  registry.counter('x', '').add(1);
  registry.counter('x', '').add(1);
  assert.match(registry.expose(), /^x 2$/m);
});

test('numbers print as Go prints them', () => {
  for (const [value, text] of [
    [1, '1'],
    [0.001, '0.001'],
    [1_048_576, '1.048576e+06'],
    [100_000, '100000'],
    [0.00001, '1e-05'],
    [Infinity, '+Inf'],
  ] as const) {
    assert.equal(formatGoFloat(value), text);
  }
  assert.deepEqual(exponentialBounds(0.001, 2, 3), [0.001, 0.002, 0.004]);
});
