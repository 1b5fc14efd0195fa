import type { Raft } from './core/raft.ts';
import { hex } from './hex.ts';
import { type HardState, NONE, type SoftState, StateType } from './state.ts';
import type { Configuration } from './tracker/configuration.ts';
import type { Progress } from './tracker/progress.ts';

/** What there is to know of a node without walking over its peers. */
export interface BasicStatus {
  /** The node's own id. */
  readonly id: bigint;
  /** Term, vote and commit index now; perhaps not stored yet. */
  readonly hardState: HardState;
  /** Leader and role now. */
  readonly softState: SoftState;
  /** Highest index known to be applied. */
  readonly applied: number;
  /** To whom leadership is being transferred, 0 for nobody. */
  readonly leadTransferee: bigint;
}

/** All there is to know of a node, as of now: a copy that does not change any more. */
export interface Status extends BasicStatus {
  /** The configuration in force. */
  readonly config: Configuration;
  /** What a leader knows of each node, itself included, ascending by id. Empty on others. */
  readonly progress: ReadonlyMap<bigint, Progress>;
}

export function basicStatusOf(raft: Raft): BasicStatus {
  return {
    id: raft.id,
    hardState: raft.hardState(),
    softState: raft.softState(),
    applied: raft.log.applied,
    leadTransferee: raft.role.state === StateType.Leader ? raft.role.transferee : NONE,
  };
}

export function statusOf(raft: Raft): Status {
  const progress = new Map<bigint, Progress>();
  if (raft.role.state === StateType.Leader) {
    for (const one of raft.tracker.ordered) progress.set(one.id, one.clone());
  }
  // Field by field: spreading an object into a new one takes longer than all the rest.
  const { id, hardState, softState, applied, leadTransferee } = basicStatusOf(raft);
  return { id, hardState, softState, applied, leadTransferee, config: raft.tracker.config, progress };
}

/** The status as JSON, in the form that etcd's debug endpoint has: ids in hexadecimal. */
export function statusToJson(status: Status): string {
  const progress: Record<string, { match: number; next: number; state: string }> = {};
  for (const { id, match, next, state } of status.progress.values()) progress[hex(id)] = { match, next, state };
  const { hardState, softState } = status;
  return JSON.stringify({
    id: hex(status.id),
    term: hardState.term,
    vote: hex(hardState.vote),
    commit: hardState.commit,
    lead: hex(softState.leader),
    raftState: softState.state,
    applied: status.applied,
    progress,
    leadtransferee: hex(status.leadTransferee),
  });
}
