import assert from 'node:assert/strict';
import { test } from 'node:test';
import { negotiateMetrics } from './metrics-format.ts';

const protobuf = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';
const text = 'text/plain; version=0.0.4; charset=utf-8; escaping=';

test('text unless protobuf is wanted first', () => {
  const open = 'application/openmetrics-text;version=1.0.0';
  for (const accept of [
    '',
    '*/*',
    'garbage;;;',
    open,
    `text/plain,${protobuf}`,
    `${protobuf};q=0.2,text/plain;q=0.3`,
  ]) {
    assert.deepEqual(negotiateMetrics(accept), { isProtobuf: false, contentType: `${text}underscores` }, accept);
  }
  for (const accept of [protobuf, `text/plain;q=0.5,${protobuf}`, `${open}, ${protobuf};q=0.9, text/plain;q=0.1`]) {
    assert.ok(negotiateMetrics(accept).isProtobuf, accept);
  }
});

test('an escaping that is known is answered, also that of a form that is not', () => {
  assert.equal(negotiateMetrics('text/plain;escaping=dots').contentType, `${text}dots`);
  assert.equal(negotiateMetrics('text/plain;escaping=nonsense').contentType, `${text}underscores`);
  assert.equal(negotiateMetrics('application/json;escaping=values').contentType, `${text}values`);
  assert.match(
    negotiateMetrics(`${protobuf};escaping=allow-utf-8`).contentType,
    /encoding=delimited; escaping=allow-utf-8$/,
  );
});
