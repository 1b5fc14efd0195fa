import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfChangeTransition, ConfChangeType, createConfChangeV2 } from '../conf-change.ts';
import { LocalCluster } from '../testing/local-cluster.ts';

test('a change without changes that asks for a joint configuration enters no log', () => {
  const cluster = new LocalCluster(3);
  const { raw, raft } = cluster.elect(1n);
  const empty = [ConfChangeTransition.JointImplicit, ConfChangeTransition.JointExplicit].map((transition) =>
    createConfChangeV2({ transition }),
  );
  const isJoint = () => raft.tracker.config.outgoing.size > 0;
  const tryAll = () => {
    for (const change of empty) {
      raw.proposeConfChange(change);
      // Applied, it would be a change into a joint configuration, which nobody survives who is in one.
      cluster.settle();
    }
  };
  tryAll();
  assert.equal(isJoint(), false);
  const changes = [{ type: ConfChangeType.RemoveNode, nodeId: 3n }];
  raw.proposeConfChange(createConfChangeV2({ transition: ConfChangeTransition.JointExplicit, changes }));
  cluster.settle();
  assert.equal(isJoint(), true);
  tryAll();
  assert.equal(isJoint(), true);
  raw.proposeConfChange(createConfChangeV2({}));
  cluster.settle();
  assert.equal(isJoint(), false);
});
