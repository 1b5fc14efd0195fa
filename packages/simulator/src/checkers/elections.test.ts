import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMessage, MessageType } from '@quorate/raft';
import { Elections } from './elections.ts';

function textsOf(...messages: Parameters<typeof createMessage>[0][]): string[] {
  const elections = new Elections();
  for (const message of messages) elections.sent(createMessage(message));
  return elections.violations.map(({ text }) => text);
}

const grant = { type: MessageType.MsgVoteResp, from: 1n, to: 2n, term: 5 };

test('the same vote may be told again, and another one in another term', () => {
  assert.deepEqual(textsOf(grant, grant, { ...grant, to: 3n, term: 6 }, { ...grant, to: 3n, reject: true }), []);
});

test('a second vote in a term is found', () => {
  assert.deepEqual(textsOf(grant, { ...grant, to: 3n }), ['1 in term 5 votes for 3, after 2']);
});

test('who stands has voted for itself', () => {
  const request = { type: MessageType.MsgVote, from: 1n, to: 3n, term: 5 };
  assert.deepEqual(textsOf(request, { ...request, to: 2n }, grant), ['1 in term 5 votes for 2, after 1']);
});

test('a second leader of a term is found', () => {
  const append = { type: MessageType.MsgApp, from: 1n, to: 2n, term: 5 };
  const heartbeat = { type: MessageType.MsgHeartbeat, from: 2n, to: 1n, term: 5 };
  assert.deepEqual(textsOf(append, heartbeat), ['term 5 is led by 2, after 1']);
});
