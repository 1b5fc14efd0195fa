import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@quorate/base';
import { type ConfChange, type RawNode, StateType } from '@quorate/raft';
import { Proposer } from './proposer.ts';
import { RequestIds } from './request-ids.ts';

/** A raft node that takes what it is given, or nothing. */
class TakingNode {
  isDropping = false;
  readonly entries: Uint8Array[] = [];
  readonly changes: ConfChange[] = [];
  state: StateType = StateType.Leader;
  term = 2;
  basicStatus() {
    return { softState: { state: this.state }, hardState: { term: this.term } };
  }
  proposeBatch(entries: Uint8Array[]): Error | undefined {
    if (!this.isDropping) this.entries.push(...entries);
    return this.isDropping ? new Error('dropped') : undefined;
  }
  proposeConfChange(change: ConfChange): Error | undefined {
    if (!this.isDropping) this.changes.push(change);
    return this.isDropping ? new Error('dropped') : undefined;
  }
  get asNode(): RawNode {
    return this as unknown as RawNode;
  }
}

function make() {
  const ids = new RequestIds(1n, 0);
  const limits = { requestTimeoutMs: 100, requestBytesMax: 1000, waitingCallsMax: 3, gatheredBytesMax: 1500 };
  const proposer = new Proposer<string>({ ids, logger: silentLogger }, limits);
  const log: string[] = [];
  const call = (name: string) => ({
    applied: (result: string) => void log.push(`${name}: ${result}`),
    failed: (symbol: string) => void log.push(`${name}: ${symbol}`),
  });
  return { ids, proposer, log, call, node: new TakingNode() };
}

const timeout = () => 'ErrGRPCTimeout' as const;

test('what waited for a leader in vain fails as a deadline and is never proposed', () => {
  const { proposer, log, call, node } = make();
  proposer.add(4, new Uint8Array(3), call('early'), 0);
  proposer.add(4, new Uint8Array(3), call('late'), 50);
  proposer.expire(100, timeout);
  assert.deepEqual(log, ['early: ContextDeadlineExceeded']);
  proposer.handOver(node.asNode);
  assert.equal(node.entries.length, 1);
  proposer.expire(150, timeout);
  assert.deepEqual(log.slice(1), ['late: ErrGRPCTimeout']);
});

test('what raft refuses has failed', () => {
  const { proposer, log, call, node } = make();
  node.isDropping = true;
  proposer.add(4, new Uint8Array(3), call('put'), 0);
  proposer.addChange({ type: 1, nodeId: 2n, context: new Uint8Array(0) }, call('change'));
  proposer.handOver(node.asNode);
  assert.deepEqual(log, ['put: ProposalDropped', 'change: ProposalDropped']);
  assert.deepEqual([proposer.pending, proposer.isEmpty], [0, true]);
});

test('what a leader decides is proposed while it leads in the same term, and reaches no other leader', () => {
  for (const [state, term, isProposed] of [
    [StateType.Leader, 2, true],
    [StateType.Leader, 3, false],
    [StateType.Follower, 2, false],
  ] as const) {
    const { proposer, log, call, node } = make();
    Object.assign(node, { state, term });
    proposer.add(9, new Uint8Array(3), call('revoke'), 0, undefined, 2);
    proposer.add(4, new Uint8Array(3), call('put'), 0);
    assert.equal(proposer.isEmpty, false);
    proposer.handOver(node.asNode);
    assert.equal(node.entries.length, isProposed ? 2 : 1);
    assert.deepEqual(log, isProposed ? [] : ['revoke: ProposalDropped']);
    assert.deepEqual([proposer.pending, proposer.isEmpty], [isProposed ? 2 : 1, true]);
  }
});

test('what a leader decided too long ago is not proposed', () => {
  const { proposer, log, call, node } = make();
  proposer.add(9, new Uint8Array(3), call('revoke'), 0, undefined, 2);
  proposer.expire(100, timeout);
  proposer.handOver(node.asNode);
  assert.equal(node.entries.length, 0);
  assert.equal(log.length, 1);
});

test('a change of the configuration outlives the time-out and is answered by its id; a forgotten one is not proposed', () => {
  const { ids, proposer, log, call, node } = make();
  proposer.addChange({ type: 1, nodeId: 2n, context: new Uint8Array(0) }, call('kept'));
  const forget = proposer.addChange({ type: 1, nodeId: 3n, context: new Uint8Array(0) }, call('forgotten'));
  forget?.();
  proposer.expire(1_000_000, timeout);
  proposer.handOver(node.asNode);
  assert.deepEqual(
    node.changes.map((change) => change.nodeId),
    [2n],
  );
  const { id } = node.changes[0] as ConfChange;
  proposer.answer(Number(id >> 32n), Number(id & 0xffff_ffffn), 'removed');
  assert.deepEqual(log, ['kept: removed']);
  assert.equal(ids.sequenceOf(Number(id >> 32n), Number(id & 0xffff_ffffn)), 0);
});

test('an entry of another form is made around its request id, and answered by it', () => {
  const { proposer, log, call, node } = make();
  const ids: bigint[] = [];
  const encode = (id: bigint) => {
    ids.push(id);
    return Uint8Array.of(7);
  };
  proposer.addEntry(encode, call('entry'), 0);
  proposer.handOver(node.asNode);
  assert.deepEqual(node.entries, [Uint8Array.of(7)]);
  const [id = 0n] = ids;
  proposer.answer(Number(id >> 32n), Number(id & 0xffff_ffffn), 'done');
  assert.deepEqual(log, ['entry: done']);
  for (let i = 0; i < 3; i++) proposer.addEntry(encode, call('waits'), 0);
  assert.equal(proposer.addEntry(encode, call('one too many'), 0), false);
  assert.deepEqual(log.slice(1), ['one too many: ErrGRPCRequestTooManyRequests']);
});

test('what the entries of a batch answered is told with one time, once', () => {
  const told: unknown[] = [];
  const { call, node } = make();
  const proposer = new Proposer<string>(
    { ids: new RequestIds(1n, 0), logger: silentLogger, answered: (field, tookMs) => told.push([field, tookMs]) },
    { requestTimeoutMs: 100, requestBytesMax: 1000, waitingCallsMax: 3, gatheredBytesMax: 1500 },
  );
  proposer.add(4, new Uint8Array(3), call('first'), 10);
  proposer.add(5, new Uint8Array(3), call('second'), 30);
  proposer.handOver(node.asNode);
  const ids = new RequestIds(1n, 0);
  for (const sequence of [ids.take(), ids.take()]) proposer.answer(ids.high(sequence), ids.low(sequence), 'done');
  assert.deepEqual(told, []);
  proposer.tellAnswered(40);
  proposer.tellAnswered(50);
  assert.deepEqual(told, [
    [4, 30],
    [5, 10],
  ]);
});

test('limits on calls, gathered bytes and the size of a request', () => {
  const { proposer, log, call } = make();
  assert.equal(proposer.add(4, new Uint8Array(1001), call('big'), 0), false);
  assert.equal(proposer.add(4, new Uint8Array(1000), call('big with its header'), 0), false);
  assert.equal(proposer.add(4, new Uint8Array(900), call('a'), 0), true);
  assert.equal(proposer.add(4, new Uint8Array(900), call('too many bytes'), 0), false);
  assert.equal(proposer.add(4, new Uint8Array(9), call('b'), 0), true);
  assert.equal(proposer.add(4, new Uint8Array(9), call('c'), 0), true);
  assert.equal(proposer.add(4, new Uint8Array(9), call('too many calls'), 0), false);
  assert.deepEqual(log, [
    'big: ErrGRPCRequestTooLarge',
    'big with its header: ErrGRPCRequestTooLarge',
    'too many bytes: ErrGRPCRequestTooManyRequests',
    'too many calls: ErrGRPCRequestTooManyRequests',
  ]);
  proposer.failAll('ErrGRPCStopped');
  assert.equal(proposer.pending, 0);
});
