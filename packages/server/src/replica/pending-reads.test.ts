import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PendingRead, PendingReads } from './pending-reads.ts';

function readsWithLog(): { reads: PendingReads; log: string[]; read(name: string): PendingRead } {
  const log: string[] = [];
  const read = (name: string): PendingRead => ({
    readable: () => log.push(`${name} readable`),
    failed: (symbol) => log.push(`${name} ${symbol}`),
  });
  let context = 0;
  return { reads: new PendingReads({ timeoutMs: 100, retryMs: 30, nextContext: () => ++context }), log, read };
}

test('reads pass once the index of an answer to them, or to later ones, is applied', () => {
  const { reads, log, read } = readsWithLog();
  reads.add(read('a'), 0);
  reads.add(read('b'), 0);
  assert.equal(reads.ask(0), 1);
  reads.add(read('c'), 1);
  assert.equal(reads.ask(1), 2);
  assert.equal(reads.ask(1), undefined);
  reads.answered(2, 7);
  reads.applied(6);
  assert.deepEqual([log, reads.size], [[], 3]);
  reads.applied(7);
  assert.deepEqual([log, reads.size], [['a readable', 'b readable', 'c readable'], 0]);
});

test('a question without an answer is asked again', () => {
  const { reads, read } = readsWithLog();
  reads.add(read('a'), 0);
  reads.ask(0);
  assert.deepEqual(reads.tick(29), []);
  assert.deepEqual(reads.tick(30), [1]);
  assert.deepEqual(reads.tick(31), []);
});

test('a read times out without a leader to ask, without an answer, and without its index', () => {
  const { reads, log, read } = readsWithLog();
  reads.add(read('asked'), 0);
  reads.ask(0);
  reads.answered(1, 9);
  reads.add(read('unanswered'), 0);
  reads.ask(0);
  reads.add(read('unasked'), 10);
  reads.tick(99);
  assert.deepEqual(log, []);
  reads.tick(100);
  assert.deepEqual(log, ['unanswered ErrGRPCTimeout', 'asked ErrGRPCTimeout']);
  reads.tick(110);
  assert.deepEqual(log.slice(2), ['unasked ErrGRPCTimeout']);
  assert.equal(reads.size, 0);
  reads.applied(9);
  assert.equal(log.length, 3);
});
