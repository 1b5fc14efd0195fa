import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogFields, silentLogger } from '@quorate/base';
import { defragmentAtStart } from './start-defragmentation.ts';

const mebibyte = 1024 * 1024;

async function run(thresholdBytes: number) {
  let defragmented = 0;
  const lines: [string, LogFields | undefined][] = [];
  const backend = {
    size: () => 5 * mebibyte,
    sizeInUse: () => 2 * mebibyte,
    defragment: async () => void defragmented++,
  };
  const logger = { ...silentLogger, info: (message: string, fields?: LogFields) => void lines.push([message, fields]) };
  await defragmentAtStart({ logger }, backend, thresholdBytes);
  return { defragmented, lines };
}

test('the database is rewritten at the start where that frees enough', async () => {
  assert.deepEqual(await run(0), { defragmented: 0, lines: [] });
  assert.deepEqual(await run(3 * mebibyte), { defragmented: 1, lines: [] });
  const skipped = await run(3 * mebibyte + 1);
  assert.equal(skipped.defragmented, 0);
  assert.equal(skipped.lines[0]?.[0], 'Skipping defragmentation');
  assert.deepEqual(skipped.lines[0]?.[1], {
    'current-db-size-bytes': 5 * mebibyte,
    'current-db-size': '5.2 MB',
    'current-db-size-in-use-bytes': 2 * mebibyte,
    'current-db-size-in-use': '2.1 MB',
    'bootstrap-defrag-threshold-bytes': 3 * mebibyte + 1,
    'bootstrap-defrag-threshold': '3.1 MB',
  });
});
