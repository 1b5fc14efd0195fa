import { type Clock, type Logger, latin1ToBytes } from '@quorate/base';
import {
  type Answer,
  type Applier,
  type ApplyResult,
  type ChangeOutcome,
  type Cluster,
  encodeConfStateJson,
} from '@quorate/machine';
import type { ConfChange, ConfState, Entry, RawNode } from '@quorate/raft';
import { type Backend, BucketId, MetaKey } from '@quorate/storage';
import { simpleChangeOf } from '../bootstrap/replay-membership.ts';
import type { StateMachine } from '../replica/contract.ts';

export interface EntryMachineDeps {
  readonly applier: Applier;
  readonly cluster: Cluster;
  /** The backend now: a received snapshot brings another. */
  readonly backend: () => Backend;
  readonly node: RawNode;
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** An entry has been applied, which took so long. */
  readonly onApplied: (data: Uint8Array, tookMs: number, isSuccess: boolean) => void;
  /** The configuration after the entry that is being applied. */
  readonly onMembership: (outcome: ChangeOutcome, confState: ConfState) => void;
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
  /** When the last entry of the batch that is being applied was done; undefined before the first. */
  private doneMs: number | undefined;
  /** Of the entry that is being applied: who hears its result, and whether it is one. */
  private listener: Answer = () => {};
  private isSuccess = true;

  constructor(deps: EntryMachineDeps) {
    this.deps = deps;
  }

  get appliedIndex(): number {
    return this.deps.applier.appliedIndex;
  }

  apply(entry: Entry, answer: Answer): void {
    const { applier, clock, onApplied } = this.deps;
    const startMs = this.doneMs ?? clock.nowMs();
    this.listener = answer;
    this.isSuccess = true;
    applier.apply(entry, this.tellResult);
    this.appliedTerm = entry.term;
    this.appliedBytes += entry.data.length;
    this.doneMs = clock.nowMs();
    onApplied(entry.data, this.doneMs - startMs, this.isSuccess);
  }

  private readonly tellResult: Answer = (idHigh, idLow, result) => {
    this.isSuccess = result.kind !== 'error' || result.symbol === 'ErrGRPCCompacted';
    this.listener(idHigh, idLow, result);
  };

  /**
   * A change that the database has already is passed over: raft began with the configuration as of the database's index, and to judge the
   * change again, from a later membership, could come out differently (docs/decisions/0007).
   */
  applyConfChange(entry: Entry, answer: Answer): ConfState | undefined {
    const { applier, onMembership } = this.deps;
    const change = simpleChangeOf(entry);
    this.appliedTerm = entry.term;
    let confState: ConfState | undefined;
    if (entry.index > this.deps.backend().consistentIndex) {
      const outcome = this.deps.cluster.apply(change);
      confState = this.change(change, outcome);
      onMembership(outcome, confState);
      this.tell(change.id, outcome, answer);
    }
    applier.advance(entry.index, entry.term);
    return confState;
  }

  /** Brings a change into force in raft, which is told node 0 for a refused one. */
  private change(change: ConfChange, outcome: ChangeOutcome): ConfState {
    const { node, logger, backend } = this.deps;
    if (outcome.kind === 'refused') {
      logger.warn('refused a configuration change', { code: outcome.code, 'member-id': change.nodeId });
      return node.applyConfChange({ ...change, nodeId: 0n });
    }
    const confState = node.applyConfChange(change);
    backend().put(BucketId.meta, latin1ToBytes(MetaKey.confState), encodeConfStateJson(confState));
    return confState;
  }

  private tell(id: bigint, outcome: ChangeOutcome, answer: Answer): void {
    const { cluster, applier } = this.deps;
    const { members } = cluster;
    const result: ApplyResult = { kind: 'membership', revision: applier.revision, outcome, members };
    answer(Number(id >> 32n), Number(id & 0xffff_ffffn), result);
  }

  batchApplied(): void {
    this.doneMs = undefined;
    this.deps.onBatch();
  }

  backlog(): Promise<void> | undefined {
    return this.deps.backend().whenBelow();
  }
}
