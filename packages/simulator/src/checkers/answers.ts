import { errors } from '@quorate/api';
import type { History, Operation, Violation } from '../history/history.ts';
import { findDifference } from './difference.ts';
import {
  type Answered,
  answeredOperations,
  contentOf,
  hasChanged,
  inOrderOfInvocation,
  isRead,
  nameOf,
  nameOfRequest,
} from './operations.ts';
import { isOfKeyValue, type Replay, type ReplayedEntry } from './replay.ts';

const checker = 'answers';

/**
 * Compares what clients heard with the log: every acknowledged write is in it, once, at the revision that was told, and was answered as
 * the model answers there; every read shows the state of the revision that it tells. When reads and writes happened is not its matter.
 */
export function checkAnswers(history: History, replay: Replay): Violation[] {
  const violations: Violation[] = [];
  const claims = new Map<ReplayedEntry, Operation>();
  for (const answered of answeredOperations(inOrderOfInvocation(history.operations))) {
    const { operation } = answered;
    const problem = isRead(operation.request) ? checkRead(answered, replay) : checkWrite(answered, replay, claims);
    if (problem !== undefined) violations.push({ checker, text: `${nameOf(operation)} ${problem}` });
  }
  for (const text of checkOccurrences(history.operations, replay)) violations.push({ checker, text });
  return violations;
}

function checkRead({ operation, response, revision }: Answered, replay: Replay): string | undefined {
  const expected = replay.model.readAt(revision, operation.request);
  if (expected === undefined) return `was answered at revision ${revision}, but the last one is ${replay.revision}`;
  if (expected.error !== undefined) {
    return `was answered at revision ${revision}, but should have been refused: ${errors[expected.error].message}`;
  }
  const difference = findDifference(response.message, expected.response?.message);
  return difference && `does not show the state of revision ${revision}: ${difference}`;
}

function checkWrite(answered: Answered, replay: Replay, claims: Map<ReplayedEntry, Operation>): string | undefined {
  const { operation, response, revision } = answered;
  const entry = findEntry(answered, replay, claims);
  if (typeof entry === 'string') return entry;
  claims.set(entry, operation);
  const expected = entry.applied.response?.message;
  // A compaction tells the revision of the moment of its answer.
  if (response.method === 'compact') {
    const done = entry.applied.state.revision;
    return revision >= done && revision <= replay.revision
      ? undefined
      : `was answered at revision ${revision}, but done at ${done}, with ${replay.revision} the last one`;
  }
  const difference = findDifference(response.message, expected);
  return difference && `was not answered as entry ${entry.index}, revision ${revision}, must be: ${difference}`;
}

/** The entry of an acknowledged write, or what is wrong. */
function findEntry(
  { operation, response, revision }: Answered,
  replay: Replay,
  claims: ReadonlyMap<ReplayedEntry, Operation>,
): ReplayedEntry | string {
  const same = replay.withContent(contentOf(operation.request));
  if (same.length === 0) return `was acknowledged at revision ${revision}, but is not in the log`;
  const done = same.filter(({ applied }) => applied.error === undefined);
  const [first] = same as [ReplayedEntry];
  if (done.length === 0) return `was acknowledged, but ${nameOfEntry(first)} was refused`;
  const isCompaction = response.method === 'compact';
  const fitting = done.filter(({ applied }) => isCompaction || applied.state.revision === revision);
  if (fitting.length === 0) {
    const there = replay.changeAt(revision);
    const instead = there === undefined ? `the last one is ${replay.revision}` : `that is ${nameOfEntry(there)}`;
    return `was acknowledged at revision ${revision}, but ${instead}; in the log it is ${done.map(placeOf).join(', ')}`;
  }
  const free = fitting.filter((entry) => !claims.has(entry));
  const told = hasChanged(response);
  const chosen = free.find(({ isChange }) => isChange === told) ?? free[0];
  if (chosen !== undefined) return chosen;
  const holder = claims.get(fitting[0] as ReplayedEntry) as Operation;
  return `was acknowledged by ${placeOf(fitting[0] as ReplayedEntry)}, which is that of ${nameOf(holder)}`;
}

/** A request is in the log at most as often as it was made, and one that was refused changed nothing. */
function* checkOccurrences(operations: readonly Operation[], replay: Replay): Iterable<string> {
  const groups = new Map<string, Operation[]>();
  for (const operation of operations) {
    if (isRead(operation.request)) continue;
    const content = contentOf(operation.request);
    const group = groups.get(content);
    if (group === undefined) groups.set(content, [operation]);
    else group.push(operation);
  }
  for (const [content, group] of groups) {
    const entries = replay.withContent(content);
    const [first] = group as [Operation];
    // Members compact by themselves, too, when they are told to.
    if (entries.length > group.length && first.request.method !== 'compact') {
      yield `${nameOf(first)} was made ${times(group.length)}, but is in the log ${times(entries.length)}: ${entries.map(placeOf).join(', ')}`;
    }
    const effects = entries.filter(({ isChange }) => isChange);
    const possible = group.filter(({ outcome }) => outcome.kind !== 'refused' || mayBeDone(outcome.text)).length;
    if (effects.length > possible && entries.length <= group.length) {
      const refused = group.find(({ outcome }) => outcome.kind === 'refused') as Operation;
      const { outcome } = refused;
      const reason = outcome.kind === 'refused' ? outcome.text : '';
      yield `${nameOf(refused)} was refused (${reason}), but is done: ${effects.map(placeOf).join(', ')}`;
    }
  }
}

/** Who writes beyond the quota is told that there is no space, although that last write is done. */
function mayBeDone(text: string): boolean {
  return text === errors.ErrGRPCNoSpace.message;
}

function nameOfEntry(entry: ReplayedEntry): string {
  const { request } = entry;
  return `${placeOf(entry)} (${isOfKeyValue(request) ? nameOfRequest(request) : request.method})`;
}

function placeOf({ index, applied, isChange }: ReplayedEntry): string {
  return isChange ? `entry ${index} at revision ${applied.state.revision}` : `entry ${index}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
