import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StateType } from '../state.ts';
import { LocalCluster } from '../testing/local-cluster.ts';
import { ReadOnlyOption } from './config.ts';

const options = { checkQuorum: true, readOnlyOption: ReadOnlyOption.LeaseBased };
const context = Uint8Array.of(7);

test('a leader that told another to campaign relies on its lease no more', () => {
  const cluster = new LocalCluster(3, options);
  const old = cluster.elect(1n);
  // From here on it hears nothing: the others elect the new leader at once, as a transfer overrides leases.
  cluster.filter = ({ to }) => to === 1n;
  old.raw.transferLeader(2n);
  cluster.settle();
  const next = cluster.node(2n);
  next.raw.propose(Uint8Array.of(1));
  cluster.settle();
  assert.equal(old.raft.role.state, StateType.Leader);
  assert.ok(next.raft.log.committed > old.raft.log.committed);
  old.raw.readIndex(context);
  cluster.settle();
  assert.deepEqual(old.reads, []);
});

test('after a transfer that came to nothing a quorum confirms lease-based reads', () => {
  const cluster = new LocalCluster(3, options);
  const leader = cluster.elect(1n);
  cluster.filter = ({ to }) => to === 2n;
  leader.raw.transferLeader(2n);
  cluster.settle();
  cluster.filter = ({ to }) => to !== 1n;
  leader.raw.readIndex(context);
  cluster.settle();
  assert.deepEqual(leader.reads, []);
  for (const message of cluster.held.splice(0)) if (message.to === 3n) cluster.node(3n).raw.step(message);
  cluster.settle();
  assert.deepEqual(leader.reads, [{ index: leader.raft.log.committed, requestContext: context }]);
});
