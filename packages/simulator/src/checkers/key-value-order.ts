import { errors } from '@quorate/api';
import { latin1FromBytes } from '@quorate/base';
import type { History, Operation, Violation } from '../history/history.ts';
import { initialState } from '../model/state.ts';
import { answerWithoutPast, GroupModel, type GroupOperation, withoutPast } from './group-model.ts';
import { Floor, knownRevisions } from './known.ts';
import { type Call, checkLinearizability, searchOrder } from './linearizability.ts';
import { keyOfPut, nameOfPut, type Observations, observe, putsDone, putsOf } from './observations.ts';
import { hasChanged, inOrderOfInvocation, isRead, isSerializable, nameOf } from './operations.ts';
import { Partition } from './partition.ts';

const checker = 'linearizability';

export interface OrderResult {
  readonly violations: readonly Violation[];
  /** Groups of keys that were looked at by themselves. */
  readonly groups: number;
  /** Groups for which the search was given up. */
  readonly undecided: number;
  /** Groups with key-values that nobody in the history put, so that it cannot explain them. */
  readonly excluded: number;
  readonly steps: number;
}

/**
 * Whether the answers that clients had can be explained by one order of their operations, without a look at the log.
 *
 * Left out are: reads that may be stale; refused operations, which changed nothing; compactions, which change no key (what they forbid is
 * checked by the time of reads); and the content of reads at a revision of the past, which does not depend on when they are done. Leases
 * are no operations of the history, so any lease may be revoked at any time.
 *
 * @param stepsMax for each group
 */
export function checkKeyValueOrder(history: History, stepsMax: number): OrderResult {
  const plan = new Plan(history);
  const violations: Violation[] = [...plan.violations];
  let [undecided, excluded, steps] = [0, 0, 0];
  const groups = plan.groups();
  // What two operations claim cannot be ordered; that is said already.
  if (violations.length > 0) return { violations, groups: groups.size, undecided, excluded, steps };
  const whole = searchWhole(plan, [...groups.values()].flat(), stepsMax);
  steps += whole.steps;
  if (whole.isOrdered) return { violations, groups: groups.size, undecided, excluded, steps };
  for (const [group, members] of groups) {
    if (plan.excluded.has(group)) {
      excluded += 1;
      continue;
    }
    const model = new GroupModel(knownIn(members), plan.free, plan.observations, plan.leases);
    const calls = [...members.map(({ call }) => call), ...revocations(members)];
    const verdict = checkLinearizability(model, calls, stepsMax);
    steps += verdict.steps;
    if (verdict.kind === 'undecided' || (verdict.kind === 'violation' && model.isTruncated)) undecided += 1;
    else if (verdict.kind === 'violation') {
      // Calls that go on at the end of the failing part are copies, but of the same operation.
      const last = members.find(({ call }) => call.operation === verdict.last.operation);
      const name = last === undefined ? 'an operation' : nameOf(last.source);
      const text = `${name} had an answer that no order of the operations explains, number ${verdict.answers} of those on its keys`;
      violations.push({ checker, text });
    }
  }
  return { violations, groups: groups.size, undecided, excluded, steps };
}

/** With operations of unknown outcome, looks for an order of everything at once first, in which they fill all revisions left. */
function searchWhole(plan: Plan, members: readonly Member[], stepsMax: number): { isOrdered: boolean; steps: number } {
  const isDoubtful = members.some(({ call }) => call.operation.kind === 'doubtful');
  if (!isDoubtful || plan.excluded.size > 0) return { isOrdered: false, steps: 0 };
  const model = new GroupModel(knownIn(members), plan.free, plan.observations, plan.leases, true);
  const calls = [...members.map(({ call }) => call), ...revocations(members)];
  const { kind, steps } = searchOrder(model, calls, stepsMax);
  return { isOrdered: kind === 'linearizable', steps };
}

/** The revisions of the known changes, ascending. */
function knownIn(members: readonly Member[]): number[] {
  const known = members.flatMap(({ call }) => (call.operation.kind === 'change' ? [call.operation.revision] : []));
  return known.sort((a, b) => a - b);
}

interface Member {
  readonly source: Operation;
  readonly call: Call<GroupOperation>;
}

/** Prepares a history for the search. */
class Plan {
  readonly violations: Violation[] = [];
  readonly observations: Observations;
  readonly leases: typeof initialState.leases;
  /** Revisions that no operation is known to have made. */
  readonly free: number[] = [];
  readonly excluded = new Set<number>();
  private readonly sources: readonly Operation[];
  private readonly partition: Partition;
  /** How many operations may have put a value to a key. */
  private readonly writers = new Map<string, number>();
  /** Keys whose value may have been put again without being told. */
  private readonly rewritten = new Set<string>();
  /** Operations whose revision is known. */
  private readonly makers = new Map<number, Operation>();
  private readonly revisions = new Map<Operation, number>();
  private readonly floor: Floor;

  constructor(history: History) {
    this.observations = observe(history);
    this.floor = new Floor(knownRevisions(history));
    this.sources = inOrderOfInvocation(history.operations.filter(isConsidered));
    let { leases } = initialState;
    for (const { request } of history.operations) {
      for (const { key, value, lease, ignoreValue } of putsOf(request)) {
        if (lease !== 0n) leases = leases.set(String(lease), true);
        const name = nameOfPut(key, value);
        if (ignoreValue) this.rewritten.add(keyOfPut(name));
        else this.writers.set(name, (this.writers.get(name) ?? 0) + 1);
      }
    }
    this.leases = leases;
    const seen = [...this.observations.seenPuts];
    this.partition = new Partition(
      this.sources.map(({ request }) => request),
      seen.map(keyOfPut),
    );
    for (const name of seen) {
      if (!this.writers.has(name)) this.excluded.add(this.partition.groupOfKey(keyOfPut(name)));
    }
    this.findMakers();
    this.accountForPuts();
    this.findFree();
  }

  groups(): Map<number, Member[]> {
    const groups = new Map<number, Member[]>();
    for (const source of this.sources) {
      this.floor.advance(source.invokedMs);
      const group = this.partition.groupOf(source.request) ?? -1;
      const member = { source, call: this.callOf(source) };
      const members = groups.get(group);
      if (members === undefined) groups.set(group, [member]);
      else members.push(member);
    }
    return groups;
  }

  private findMakers(): void {
    for (const source of this.sources) {
      const { outcome } = source;
      if (outcome.kind !== 'ok' || !hasChanged(outcome.response)) continue;
      const revision = outcome.response.message.header?.revision ?? 0;
      const other = this.makers.get(revision);
      if (other === undefined) this.setMaker(source, revision);
      else {
        const text = `${nameOf(source)} made revision ${revision}, as did ${nameOf(other)}`;
        this.violations.push({ checker, text });
      }
    }
    for (const source of this.sources) {
      const revision = source.outcome.kind === 'ok' ? undefined : this.seenRevisionOf(source);
      if (revision !== undefined && !this.makers.has(revision)) this.setMaker(source, revision);
    }
  }

  private setMaker(source: Operation, revision: number): void {
    this.makers.set(revision, source);
    this.revisions.set(source, revision);
  }

  /** The revision at which somebody saw a put that can only be of this operation. */
  private seenRevisionOf({ request }: Operation): number | undefined {
    for (const { key, value, ignoreValue } of putsOf(request)) {
      const name = nameOfPut(key, value);
      if (ignoreValue || this.writers.get(name) !== 1 || this.rewritten.has(keyOfPut(name))) continue;
      const revision = this.observations.revisionOf(name);
      if (revision !== undefined) return revision;
    }
    return undefined;
  }

  private accountForPuts(): void {
    const [known, unsure] = [new Map<string, number[]>(), new Map<string, number[]>()];
    for (const [revision, { request, outcome }] of [...this.makers].sort(([a], [b]) => a - b)) {
      const response = outcome.kind === 'ok' ? outcome.response : undefined;
      let puts = putsOf(request);
      if (request.method === 'txn' && response?.method === 'txn') puts = putsDone(request.message, response.message);
      const isSure = response !== undefined || request.method === 'put';
      for (const { key } of puts) {
        const text = latin1FromBytes(key);
        const revisions = isSure ? known : unsure;
        const ofKey = revisions.get(text);
        if (ofKey === undefined) revisions.set(text, [revision]);
        else ofKey.push(revision);
      }
    }
    this.observations.accountFor(known, unsure);
  }

  private findFree(): void {
    let last = 1;
    for (const { outcome } of this.sources) {
      if (outcome.kind === 'ok') last = Math.max(last, outcome.response.message.header?.revision ?? 0);
    }
    for (let revision = 2; revision <= last; revision++) if (!this.makers.has(revision)) this.free.push(revision);
  }

  private callOf(source: Operation): Call<GroupOperation> {
    const { invokedMs, outcome } = source;
    const returnedMs = outcome.kind === 'ok' ? source.returnedMs : Infinity;
    // A delete that nothing speaks against is rarely without need, but a put that nobody saw can have been anywhere.
    return { operation: this.operationOf(source), invokedMs, returnedMs, rank: putsOf(source.request).length };
  }

  private operationOf(source: Operation): GroupOperation {
    let { request } = source;
    let response = source.outcome.kind === 'ok' ? source.outcome.response : undefined;
    if (request.method === 'txn') {
      if (response?.method === 'txn') {
        response = { method: 'txn', message: answerWithoutPast(request.message, response.message) };
      }
      request = { method: 'txn', message: withoutPast(request.message) };
    }
    const revision = this.revisions.get(source);
    if (revision !== undefined) return { kind: 'change', request, response, revision };
    if (response === undefined) return { kind: 'doubtful', request, from: this.floor.largest.value + 1 };
    const seen = response.message.header?.revision ?? 0;
    const isOfPast = request.method === 'range' && request.message.revision > 0;
    return { kind: 'look', request, response: isOfPast ? undefined : response, revision: seen };
  }
}

/** Whether an operation says anything about the order. */
function isConsidered({ request, outcome }: Operation): boolean {
  if (request.method === 'compact' || isSerializable(request)) return false;
  if (outcome.kind === 'ok') return true;
  // Who writes beyond the quota hears that there is no space, although the write is done.
  const mayBeDone = outcome.kind === 'unknown' || outcome.text === errors.ErrGRPCNoSpace.message;
  return mayBeDone && !isRead(request);
}

/** Each lease that keys of the group hang on may be revoked, also more than once, as it may be granted again. */
function revocations(members: readonly Member[]): Call<GroupOperation>[] {
  const firstMs = new Map<bigint, number>();
  for (const { source, call } of members) {
    for (const { lease } of putsOf(source.request)) {
      if (lease !== 0n) firstMs.set(lease, Math.min(firstMs.get(lease) ?? Infinity, call.invokedMs));
    }
  }
  return [...firstMs].map(([id, invokedMs]) => {
    const request = { method: 'lease-revoke', message: { id } } as const;
    return { operation: { kind: 'doubtful', request, from: 2 }, invokedMs, returnedMs: Infinity, isRepeatable: true };
  });
}
