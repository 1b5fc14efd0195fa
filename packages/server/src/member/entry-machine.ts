import { type Logger, latin1ToBytes, utf8ToBytes } from '@quorate/base';
import type { Answer, Applier, ApplyResult, ChangeOutcome, Cluster } from '@quorate/machine';
import { type ConfState, confChangeOfEntry, type Entry, type RawNode } from '@quorate/raft';
import { type Backend, BucketId, MetaKey } from '@quorate/storage';
import type { StateMachine } from '../replica/contract.ts';

export interface EntryMachineDeps {
  readonly applier: Applier;
  readonly cluster: Cluster;
  /** The backend now: a received snapshot brings another. */
  readonly backend: () => Backend;
  readonly node: RawNode;
  readonly logger: Logger;
  /** The configuration after the entry that is being applied; `outcome` is undefined when the database had its effect already. */
  readonly onMembership: (outcome: ChangeOutcome | undefined, confState: ConfState) => void;
  /** A batch of entries is applied. */
  readonly onBatch: () => void;
}

/** Everything committed entries change: ordinary ones by the applier, membership changes here, in raft and in the member list. */
export class EntryMachine implements StateMachine<ApplyResult> {
  private readonly deps: EntryMachineDeps;
  /** Term of the last applied entry; 0 before any. */
  appliedTerm = 0;
  /** Bytes of all entries applied since the start. */
  appliedBytes = 0;

  constructor(deps: EntryMachineDeps) {
    this.deps = deps;
  }

  get appliedIndex(): number {
    return this.deps.applier.appliedIndex;
  }

  apply(entry: Entry, answer: Answer): void {
    this.deps.applier.apply(entry, answer);
    this.appliedTerm = entry.term;
    this.appliedBytes += entry.data.length;
  }

  applyConfChange(entry: Entry, answer: Answer): ConfState | undefined {
    const { applier, cluster, node, logger } = this.deps;
    const backend = this.deps.backend();
    const change = confChangeOfEntry(entry);
    this.appliedTerm = entry.term;
    let confState: ConfState | undefined;
    if (change !== undefined && 'nodeId' in change) {
      // The database may be ahead of the log that is read again after a restart: then it has the change, but raft has not.
      const isNew = entry.index > backend.consistentIndex;
      const outcome = isNew ? cluster.apply(change) : undefined;
      if (outcome?.kind === 'refused') {
        logger.warn('refused a configuration change', { code: outcome.code, 'member-id': change.nodeId });
        confState = node.applyConfChange({ ...change, nodeId: 0n });
      } else {
        confState = node.applyConfChange(change);
        if (isNew) backend.put(BucketId.meta, latin1ToBytes(MetaKey.confState), encodeConfStateJson(confState));
      }
      this.deps.onMembership(outcome, confState);
      if (outcome !== undefined) this.tell(change.id, outcome, answer);
    }
    applier.advance(entry.index, entry.term);
    return confState;
  }

  private tell(id: bigint, outcome: ChangeOutcome, answer: Answer): void {
    const { cluster, applier } = this.deps;
    const { members } = cluster;
    const result: ApplyResult = { kind: 'membership', revision: applier.revision, outcome, members };
    answer(Number(id >> 32n), Number(id & 0xffff_ffffn), result);
  }

  batchApplied(): void {
    this.deps.onBatch();
  }

  backlog(): Promise<void> | undefined {
    return this.deps.backend().whenBelow();
  }
}

/** The configuration as bucket `meta` has it: JSON with the ids as plain 64-bit numbers, empty lists left out. */
export function encodeConfStateJson(state: ConfState): Uint8Array {
  const lists: [string, readonly bigint[]][] = [
    ['voters', state.voters],
    ['learners', state.learners],
    ['voters_outgoing', state.votersOutgoing],
    ['learners_next', state.learnersNext],
  ];
  const parts = lists.filter(([, ids]) => ids.length > 0).map(([name, ids]) => `"${name}":[${ids.join(',')}]`);
  parts.push(`"auto_leave":${state.autoLeave}`);
  return utf8ToBytes(`{${parts.join(',')}}`);
}
