import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFamilies } from './protobuf-exposition.ts';
import { MetricsRegistry } from './registry.ts';

test('families are messages behind their lengths', () => {
  const registry = new MetricsRegistry();
  registry.counter('c', 'C', { b: 'x', a: 'y' }).add(2);
  registry.gauge('g', '').set(1);
  const histogram = registry.histogram('h', 'H', [1, 2]);
  for (const value of [0.5, 1.5, 1.5, 9]) histogram.observe(value);
  const expected = [
    '25 0a0163 120143 1800 221b 0a060a01611201790a060a0162120178 1a09 090000000000000040',
    '14 0a0167 1200 1801 220b 1209 09000000000000f03f',
    '31 0a0168 120148 1804 2227 3a25 0804 110000000000002940 1a0b 0801 11000000000000f03f 1a0b 0803 110000000000000040',
  ];
  assert.equal(Buffer.from(encodeFamilies(registry.gather())).toString('hex'), expected.join('').replaceAll(' ', ''));
});
