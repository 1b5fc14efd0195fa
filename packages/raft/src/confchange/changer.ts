import { assert } from '../assert.ts';
import { type ConfChangeSingle, ConfChangeType } from '../conf-change.ts';
import { RaftError } from '../errors.ts';
import type { Configuration } from '../tracker/configuration.ts';
import type { Inflights } from '../tracker/inflights.ts';
import { Progress } from '../tracker/progress.ts';
import { verifyConfiguration } from './verify.ts';

/** A configuration and the progress of exactly its nodes. */
export interface Membership {
  /** Who votes and who learns. */
  readonly config: Configuration;
  /** Progress by node id. */
  readonly progress: ReadonlyMap<bigint, Progress>;
}

interface Draft extends Membership {
  readonly config: {
    readonly incoming: Set<bigint>;
    readonly outgoing: Set<bigint>;
    readonly learners: Set<bigint>;
    readonly learnersNext: Set<bigint>;
    autoLeave: boolean;
  };
  readonly progress: Map<bigint, Progress>;
}

function refuse(text: string): never {
  throw new RaftError('raft/invalid-conf-change', text);
}

/**
 * Computes the membership that follows from a change; the one it starts from stays as it is (chapter 4 of the thesis).
 * All three methods throw a `RaftError` raft/invalid-conf-change when the change is not allowed, and check the invariants
 * of what they return.
 */
export class Changer {
  private readonly base: Membership;
  private readonly lastIndex: number;
  private readonly newInflights: () => Inflights;

  /**
   * `lastIndex` is where probing a new node begins: that of the log, since what is before it will most likely be a snapshot.
   * `newInflights` makes the window of a new node.
   */
  constructor(base: Membership, lastIndex: number, newInflights: () => Inflights) {
    this.base = base;
    this.lastIndex = lastIndex;
    this.newInflights = newInflights;
  }

  /** Any number of changes, of which one voter at most is affected: majorities of before and after then always overlap. */
  simple(changes: readonly ConfChangeSingle[]): Membership {
    const draft = this.draft();
    if (draft.config.outgoing.size > 0) refuse("can't apply simple config change in joint config");
    this.apply(draft, changes);
    if (symmetricDifference(this.base.config.incoming, draft.config.incoming) > 1) {
      refuse('more than one voter changed without entering joint config');
    }
    return finish(draft);
  }

  /** The present voters become the outgoing half, the changes make the incoming one. */
  enterJoint(autoLeave: boolean, changes: readonly ConfChangeSingle[]): Membership {
    const draft = this.draft();
    if (draft.config.outgoing.size > 0) refuse('config is already joint');
    // A joint configuration whose outgoing half is empty could not be told from a simple one.
    if (draft.config.incoming.size === 0) refuse("can't make a zero-voter config joint");
    for (const id of draft.config.incoming) draft.config.outgoing.add(id);
    this.apply(draft, changes);
    draft.config.autoLeave = autoLeave;
    return finish(draft);
  }

  /** Drops the outgoing half, and those who are in nothing else. */
  leaveJoint(): Membership {
    const draft = this.draft();
    const { config, progress } = draft;
    if (config.outgoing.size === 0) refuse("can't leave a non-joint config");
    for (const id of config.learnersNext) {
      config.learners.add(id);
      setRole(draft, id, true);
    }
    config.learnersNext.clear();
    for (const id of config.outgoing) {
      if (!config.incoming.has(id) && !config.learners.has(id)) progress.delete(id);
    }
    config.outgoing.clear();
    config.autoLeave = false;
    return finish(draft);
  }

  private draft(): Draft {
    const { config, progress } = this.base;
    verifyConfiguration(this.base);
    return {
      config: {
        incoming: new Set(config.incoming),
        outgoing: new Set(config.outgoing),
        learners: new Set(config.learners),
        learnersNext: new Set(config.learnersNext),
        autoLeave: config.autoLeave,
      },
      progress: new Map(progress),
    };
  }

  private apply(draft: Draft, changes: readonly ConfChangeSingle[]): void {
    for (const change of changes) {
      // The state machine puts zero for the id of a change that it decided not to make.
      if (change.nodeId === 0n) continue;
      switch (change.type) {
        case ConfChangeType.AddNode:
          this.makeVoter(draft, change.nodeId);
          break;
        case ConfChangeType.AddLearnerNode:
          this.makeLearner(draft, change.nodeId);
          break;
        case ConfChangeType.RemoveNode:
          remove(draft, change.nodeId);
          break;
        case ConfChangeType.UpdateNode:
          break;
        default:
          refuse(`unexpected conf type ${String(change.type)}`);
      }
    }
    if (draft.config.incoming.size === 0) refuse('removed all voters');
  }

  private makeVoter(draft: Draft, id: bigint): void {
    if (draft.progress.has(id)) setRole(draft, id, false);
    else this.addProgress(draft, id, false);
    draft.config.learners.delete(id);
    draft.config.learnersNext.delete(id);
    draft.config.incoming.add(id);
  }

  private makeLearner(draft: Draft, id: bigint): void {
    const { config, progress } = draft;
    const known = progress.get(id);
    if (known === undefined) {
      this.addProgress(draft, id, true);
      config.learners.add(id);
      return;
    }
    if (known.isLearner) return;
    remove(draft, id);
    progress.set(id, known);
    if (config.outgoing.has(id)) {
      config.learnersNext.add(id);
    } else {
      setRole(draft, id, true);
      config.learners.add(id);
    }
  }

  private addProgress(draft: Draft, id: bigint, isLearner: boolean): void {
    const added = new Progress(id, 0, Math.max(this.lastIndex, 1), isLearner, this.newInflights());
    // Else a leader that checks its quorum could step down before the new node had a chance to answer.
    added.recentActive = true;
    draft.progress.set(id, added);
  }
}

function setRole(draft: Draft, id: bigint, isLearner: boolean): void {
  const known = draft.progress.get(id);
  assert(known !== undefined, 'a node of the configuration has progress');
  if (known.isLearner !== isLearner) draft.progress.set(id, known.withRole(isLearner));
}

function remove(draft: Draft, id: bigint): void {
  const { config, progress } = draft;
  if (!progress.has(id)) return;
  config.incoming.delete(id);
  config.learners.delete(id);
  config.learnersNext.delete(id);
  // A voter of the outgoing half is still needed for its quorum.
  if (!config.outgoing.has(id)) progress.delete(id);
}

function symmetricDifference(a: ReadonlySet<bigint>, b: ReadonlySet<bigint>): number {
  let count = 0;
  for (const id of a) if (!b.has(id)) count++;
  for (const id of b) if (!a.has(id)) count++;
  return count;
}

function finish({ config, progress }: Draft): Membership {
  const { incoming, outgoing, learners, learnersNext, autoLeave } = config;
  const finished = {
    config: {
      incoming,
      outgoing: nobodyIfEmpty(outgoing),
      learners: nobodyIfEmpty(learners),
      learnersNext: nobodyIfEmpty(learnersNext),
      autoLeave,
    },
    progress,
  };
  verifyConfiguration(finished);
  return finished;
}

/** All empty sets of all configurations are this one: most are empty most of the time, and there may be many groups. */
const nobody: ReadonlySet<bigint> = new Set();

function nobodyIfEmpty(ids: ReadonlySet<bigint>): ReadonlySet<bigint> {
  return ids.size === 0 ? nobody : ids;
}
