import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodePut, KeyValueStore } from './key-value-store.ts';

test('a store that was restored from a snapshot is the same, and does not change with the first', () => {
  const store = new KeyValueStore();
  const odd = '__proto__';
  for (const [key, value] of [
    ['/a', '1'],
    ['/b', 'blau, größer, 青い'],
    [odd, ''],
    ['/a', '2'],
  ] as const) {
    store.apply(encodePut(key, value));
  }
  const snapshot = JSON.parse(JSON.stringify(store.snapshot()));
  const copy = new KeyValueStore();
  copy.apply(encodePut('/gone', 'was there before'));
  copy.restore(snapshot);
  store.apply(encodePut('/a', '3'));
  assert.deepEqual(
    ['/a', '/b', odd, '/gone'].map((key) => copy.get(key)),
    ['2', 'blau, größer, 青い', '', undefined],
  );
  assert.equal(store.get('/a'), '3');
});
