import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readExposition } from './exposition.ts';

const page = `# HELP a_total Help.
# TYPE a_total counter
a_total{code="200"} 3
a_total{code="500"} 0
# TYPE h_seconds histogram
h_seconds_bucket{op="x",le="0.1"} 1
h_seconds_bucket{op="x",le="1.5e+06"} 1
h_seconds_bucket{op="x",le="+Inf"} 1
h_seconds_sum{op="x"} 0.05
h_seconds_count{op="x"} 1
# TYPE g_count gauge
g_count 1e+06
# TYPE id gauge
id{server_id="8e9e05c52164694d"} 1
`;

test('names, types, labels and bounds', () => {
  const { types, series, bounds } = readExposition(page);
  assert.deepEqual(Object.fromEntries(types), {
    a_total: 'counter',
    h_seconds: 'histogram',
    g_count: 'gauge',
    id: 'gauge',
  });
  assert.deepEqual([...(series.get('a_total') ?? [])], ['code="200"', 'code="500"']);
  assert.deepEqual([...(series.get('h_seconds') ?? [])], ['op="x"']);
  assert.deepEqual([...(series.get('g_count') ?? [])], ['']);
  assert.deepEqual([...(series.get('id') ?? [])], ['server_id="<id>"']);
  assert.deepEqual(Object.fromEntries(bounds), { h_seconds: '0.1 1500000 +Inf' });
});
