import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import type { History, Operation } from '../history/history.ts';
import { put } from '../model/testing/requests.ts';
import { checkHeaders } from './headers.ts';

interface Header {
  readonly member?: string;
  readonly memberId?: bigint;
  readonly clusterId?: bigint;
  readonly raftTerm?: number;
}

/** Puts one after the other, answered with these headers; each overlaps the next one if so wanted. */
function problemsOf(headers: readonly (Header | undefined)[], isOverlapping = false): string[] {
  const operations = headers.map((fields, i): Operation => {
    const { member = 'm1', ...rest } = fields ?? {};
    const header = etcdserverpb.ResponseHeader.create({ memberId: 10n, clusterId: 11n, raftTerm: 2, ...rest });
    const message = etcdserverpb.PutResponse.create({ header: fields && header });
    const request = put('a', `${i}`);
    const returnedMs = 10 * i + (isOverlapping ? 15 : 5);
    const outcome = { kind: 'ok', response: { method: 'put', message } } as const;
    return { id: i, client: i, member, request, invokedMs: 10 * i, returnedMs, outcome };
  });
  const history: History = { operations, watches: [], log: [] };
  return checkHeaders(history).map(({ text }) => text);
}

const name = (i: number) => `operation ${i} (client ${i} at m1, put "a")`;

test('headers of a member that stays the same', () => {
  assert.deepEqual(problemsOf([{}, { raftTerm: 3 }, { raftTerm: 3 }, { member: 'm2', memberId: 5n, raftTerm: 0 }]), []);
});

test('a member that is another, or in another cluster', () => {
  const other = 'others there by member a of cluster b';
  assert.deepEqual(problemsOf([{}, { memberId: 12n }]), [`${name(1)} was answered by member c of cluster b, ${other}`]);
  assert.deepEqual(problemsOf([{}, { clusterId: 12n }]), [
    `${name(1)} was answered by member a of cluster c, ${other}`,
  ]);
});

test('a term that falls', () => {
  assert.deepEqual(problemsOf([{ raftTerm: 3 }, {}]), [`${name(1)} tells term 2, after 3 (${name(0)})`]);
  assert.deepEqual(problemsOf([{ raftTerm: 3 }, {}], true), []);
});

test('an answer without a header', () => {
  assert.deepEqual(problemsOf([undefined]), [`${name(0)} was answered without a header`]);
});
