import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageType } from '../message.ts';
import { StateType } from '../state.ts';
import { LocalCluster } from '../testing/local-cluster.ts';

test('a pre-vote that was granted for the campaign before does not count for the next', () => {
  const cluster = new LocalCluster(5, { preVote: true });
  const { raw, raft } = cluster.node(1n);
  // Of the first campaign the grants of 4 and 5 come late, and its votes are lost.
  cluster.filter = ({ type, from }) =>
    type === MessageType.MsgVote || (type === MessageType.MsgPreVoteResp && from >= 4n);
  raw.campaign();
  cluster.settle();
  assert.equal(raft.role.state, StateType.Candidate);
  assert.equal(raft.term, 2);
  const late = cluster.held.filter(({ type }) => type === MessageType.MsgPreVoteResp);
  assert.equal(late.length, 2);
  // Cut off, it asks again: nobody answers but those two.
  cluster.filter = ({ from }) => from === 1n;
  raw.campaign();
  cluster.settle();
  for (const message of late) raw.step(message);
  cluster.settle();
  assert.equal(raft.role.state, StateType.PreCandidate);
  assert.equal(raft.term, 2);
});
