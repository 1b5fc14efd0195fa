import { assert } from '../../assert.ts';
import { describeConfState } from '../../describe.ts';
import type { ConfState } from '../../state.ts';
import { equalConfState, toConfState } from '../../tracker/configuration.ts';
import { isQuorum, quorumsOverlap } from './quorums.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** Configurations follow each other so that no two quorums miss each other, and are the same everywhere. */
export class MembershipInvariants {
  /** By index of the change: the configuration it made. */
  private readonly configurations: (ConfState | undefined)[] = [];
  /**
   * There was a change whose new voters could not have elected a leader before it. Then nobody may be able to any more,
   * since a configuration is in force when it is applied, not when it is appended: a leader that removed itself may be
   * gone with the longest log, the others not knowing yet that they need it no more.
   */
  mayBeStuck = false;

  /** A node's state machine applied the change at that index; the disk still holds the configuration before it. */
  applied(node: SimulatedNode, index: number, after: ConfState): void {
    const before = node.disk.confState;
    const known = this.configurations[index];
    assert(
      known === undefined || equalConfState(known, after),
      `configurations differ: ${node.id} has ${describeConfState(after)} from ${index} on`,
    );
    if (known === undefined) {
      assert(
        quorumsOverlap(before, after),
        `quorums miss each other: ${describeConfState(before)} and ${describeConfState(after)}`,
      );
      this.configurations[index] = after;
      if (!isQuorum(before, (id) => after.voters.includes(id))) this.mayBeStuck = true;
    }
    const { raft } = node;
    // Else the configuration of a snapshot is in force already.
    if (raft === undefined || raft.log.hasPendingSnapshot()) return;
    assert(
      equalConfState(toConfState(raft.tracker.config), after),
      `configuration not in force: ${node.id} applied ${describeConfState(after)}`,
    );
  }
}
