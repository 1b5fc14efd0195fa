import { etcdserverpb, mvccpb } from '@quorate/api';
import { equalBytes, latin1FromBytes } from '@quorate/base';
import type { KeyValueRequest, KeyValueResponse } from '../history/history.ts';
import { applyRequest } from '../model/key-value-model.ts';
import { emptyKeys, initialState, type Keys, type ModelRequest, type ModelState } from '../model/state.ts';
import { findDifference } from './difference.ts';
import type { SequentialModel } from './linearizability.ts';
import type { Observations } from './observations.ts';

/** An operation on the keys of one group. */
export type GroupOperation =
  | {
      /**
       * A change made a revision that is known, by its answer or, without one, by somebody who saw what was put. A look changed nothing;
       * its answer tells the revision that it saw, and without an answer only that counts.
       */
      readonly kind: 'change' | 'look';
      readonly request: KeyValueRequest;
      readonly response: KeyValueResponse | undefined;
      readonly revision: number;
    }
  /** May have made a revision, not before `from`, that nobody told. */
  | { readonly kind: 'doubtful'; readonly request: ModelRequest; readonly from: number };

type Told = Extract<GroupOperation, { kind: 'change' | 'look' }>;

/** Keys of a group after a revision that changed them. */
export interface GroupState {
  readonly revision: number;
  /** How many of the known changes are done. */
  readonly changes: number;
  readonly keys: Keys;
}

const alternativesMax = 16;
const nothing = new Uint8Array([1]);

/**
 * The keys of one group of a {@link Partition}. Because answers tell revisions, the order of all operations with known revisions is
 * forced, and the search has a choice only where a revision is missing: which doubtful operation made it, or one of another group.
 *
 * Many doubtful operations must not make that choice many. What keeps it small forbids nothing that can have happened. A doubtful
 * operation needs a revision for itself that no known change has (`free`), after all that was known when it began, and one at which
 * nobody's sight of the keys that it changes rules that out: a key-value that was still the last one later was not put over, a life that
 * went on was not ended, and where the known puts are as many as a version counts there was no other. It may always be left out, so it is
 * tried only when the rest has failed. And one whose put somebody saw is not doubtful at all.
 */
export class GroupModel implements SequentialModel<GroupState, GroupOperation> {
  readonly initial: GroupState = { revision: 1, changes: 0, keys: emptyKeys };
  /** Whether places for a doubtful operation were left untried; then not finding an order proves nothing. */
  isTruncated = false;
  private readonly known: readonly number[];
  private readonly free: readonly number[];
  private readonly observations: Observations;
  private readonly leases: ModelState['leases'];
  private readonly isWhole: boolean;

  /**
   * @param known the revisions of the known changes, ascending
   * @param free revisions that no known change of any group made, ascending
   * @param leases all leases there may be: that one was missing is not known here, and a put on it that was done shows that it was not.
   * @param isWhole whether every revision is of these operations. Then none is passed over, which finds an order much sooner when many
   * operations are doubtful; but not finding one proves nothing where somebody else may have written.
   */
  constructor(
    known: readonly number[],
    free: readonly number[],
    observations: Observations,
    leases: ModelState['leases'],
    isWhole = false,
  ) {
    this.known = known;
    this.free = free;
    this.observations = observations;
    this.leases = leases;
    this.isWhole = isWhole;
  }

  step(state: GroupState, operation: GroupOperation): readonly GroupState[] {
    switch (operation.kind) {
      case 'change':
        return this.change(state, operation);
      case 'look':
        return this.look(state, operation) ? [state] : [];
      case 'doubtful':
        return this.doubtful(state, operation.request, operation.from);
    }
  }

  hash({ revision, keys }: GroupState): number {
    return (keys.hash ^ Math.imul(revision, 0x9e37_79b1)) | 0;
  }

  equals(a: GroupState, b: GroupState): boolean {
    return a.revision === b.revision && a.changes === b.changes && a.keys.equals(b.keys, equalKeyValues);
  }

  private nextKnown({ changes }: GroupState): number {
    return this.known[changes] ?? Infinity;
  }

  private change(state: GroupState, { request, response, revision }: Told): readonly GroupState[] {
    if (revision !== this.nextKnown(state) || revision <= state.revision) return [];
    if (this.isWhole && revision !== state.revision + 1) return [];
    const applied = applyRequest(this.stateAt(revision - 1, state.keys), request, noPast);
    if (applied.events.length === 0) return [];
    if (response !== undefined && !isAnswer(response, applied.response)) return [];
    return [{ revision, changes: state.changes + 1, keys: applied.state.keys }];
  }

  private look(state: GroupState, { request, response, revision }: Told): boolean {
    if (revision < state.revision || revision >= this.nextKnown(state)) return false;
    if (this.isWhole && revision !== state.revision) return false;
    if (response === undefined) return true;
    const applied = applyRequest(this.stateAt(revision, state.keys), request, noPast);
    return applied.events.length === 0 && isAnswer(response, applied.response);
  }

  private doubtful(state: GroupState, request: ModelRequest, from: number): readonly GroupState[] {
    const states: GroupState[] = [];
    const end = this.isWhole ? Math.min(this.nextKnown(state), state.revision + 2) : this.nextKnown(state);
    for (let i = this.placeOf(Math.max(from, state.revision + 1)); i < this.free.length; i++) {
      const revision = this.free[i] as number;
      if (revision >= end) break;
      const { events, state: after } = applyRequest(this.stateAt(revision - 1, state.keys), request, noPast);
      // Whether it changes anything does not depend on the revision.
      if (events.length === 0) break;
      if (!events.every((event) => this.mayBe(event, revision))) continue;
      if (this.isWhole && !this.observations.fits(revision, after.keys)) continue;
      if (states.length === alternativesMax) {
        this.isTruncated = true;
        break;
      }
      states.push({ revision, changes: state.changes, keys: after.keys });
    }
    return states;
  }

  private mayBe({ type, kv }: mvccpb.Event, revision: number): boolean {
    if (kv === undefined) return false;
    const key = latin1FromBytes(kv.key);
    const { observations } = this;
    return type === mvccpb.EventType.PUT
      ? observations.mayHavePut(key, revision)
      : observations.mayHaveDeleted(key, revision);
  }

  private stateAt(revision: number, keys: Keys): ModelState {
    return { ...initialState, revision, keys, leases: this.leases };
  }

  /** The first free revision that is not below the given one. */
  private placeOf(revision: number): number {
    let low = 0;
    let high = this.free.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.free[middle] as number) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const noPast = (): undefined => undefined;

function isAnswer(response: KeyValueResponse, expected: KeyValueResponse | undefined): boolean {
  return findDifference(response.message, expected?.message) === undefined;
}

function equalKeyValues(a: mvccpb.KeyValue, b: mvccpb.KeyValue): boolean {
  return (
    a.modRevision === b.modRevision &&
    a.createRevision === b.createRevision &&
    a.version === b.version &&
    a.lease === b.lease &&
    equalBytes(a.value, b.value)
  );
}

/** A transaction with its reads of the past, which the state of now does not explain, made reads of nothing. */
export function withoutPast(request: etcdserverpb.TxnRequest): etcdserverpb.TxnRequest {
  const [success, failure] = [request.success, request.failure].map((operations) =>
    operations.map((operation): etcdserverpb.RequestOp => {
      const { requestRange, requestTxn } = operation;
      if (requestTxn !== undefined) return { ...operation, requestTxn: withoutPast(requestTxn) };
      if (requestRange === undefined || requestRange.revision <= 0) return operation;
      const ofNothing = etcdserverpb.RangeRequest.create({ key: nothing, rangeEnd: nothing });
      return { ...operation, requestRange: ofNothing };
    }),
  ) as [etcdserverpb.RequestOp[], etcdserverpb.RequestOp[]];
  return { ...request, success, failure };
}

/** The answer to {@link withoutPast} that belongs to an answer. */
export function answerWithoutPast(
  request: etcdserverpb.TxnRequest,
  response: etcdserverpb.TxnResponse,
): etcdserverpb.TxnResponse {
  const operations = response.succeeded ? request.success : request.failure;
  const responses = response.responses.map((answer, i): etcdserverpb.ResponseOp => {
    const { requestRange, requestTxn } = operations[i] ?? {};
    if (requestTxn !== undefined && answer.responseTxn !== undefined) {
      return { ...answer, responseTxn: answerWithoutPast(requestTxn, answer.responseTxn) };
    }
    if (requestRange === undefined || requestRange.revision <= 0 || answer.responseRange === undefined) return answer;
    const ofNothing = etcdserverpb.RangeResponse.create({ header: answer.responseRange.header, kvs: [] });
    return { ...answer, responseRange: ofNothing };
  });
  return { ...response, responses };
}
