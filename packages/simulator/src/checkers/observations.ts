import type { etcdserverpb, mvccpb } from '@quorate/api';
import { equalBytes, latin1FromBytes } from '@quorate/base';
import type { History, KeyValueRequest } from '../history/history.ts';
import type { Keys } from '../model/state.ts';
import { answeredOperations, hasChanged } from './operations.ts';

/** All key-values that somebody saw, in whatever answer or event, and what follows from them about changes that nobody answered for. */
export class Observations {
  /** By key and value: the revisions at which it was put. */
  private readonly puts = new Map<string, Set<number>>();
  private readonly ofKeys = new Map<string, KeyTimes>();
  /** By revision and key: key-values of which it was the last change. */
  private readonly made = new Map<
    number,
    Map<string, { readonly keyValue: mvccpb.KeyValue; readonly hasValue: boolean }>
  >();

  /** @param seenAt a revision at which this was the state of the key; what comes after it is not known. */
  note(keyValue: mvccpb.KeyValue, seenAt: number, hasValue: boolean): void {
    const { createRevision, modRevision } = keyValue;
    if (hasValue) {
      const name = nameOfPut(keyValue.key, keyValue.value);
      const revisions = this.puts.get(name);
      if (revisions === undefined) this.puts.set(name, new Set([modRevision]));
      else revisions.add(modRevision);
    }
    const key = latin1FromBytes(keyValue.key);
    let times = this.ofKeys.get(key);
    if (times === undefined) {
      times = {
        unchanged: new Stretches(),
        alive: new Stretches(),
        explained: new Stretches(),
        versions: new Map(),
      };
      this.ofKeys.set(key, times);
    }
    times.unchanged.add(modRevision, seenAt);
    times.alive.add(createRevision, seenAt);
    times.versions.set(modRevision, keyValue);
    let made = this.made.get(modRevision);
    if (made === undefined) {
      made = new Map();
      this.made.set(modRevision, made);
    }
    if (hasValue || !made.has(key)) made.set(key, { keyValue, hasValue });
  }

  /** Whether a change, with that state after it, made all that was seen of its revision. */
  fits(revision: number, keys: Keys): boolean {
    for (const [key, { keyValue, hasValue }] of this.made.get(revision) ?? []) {
      const found = keys.get(key);
      const { createRevision, version, value } = keyValue;
      if (found?.modRevision !== revision || found.createRevision !== createRevision) return false;
      if (found.version !== version || (hasValue && !equalBytes(found.value, value))) return false;
    }
    return true;
  }

  /**
   * Versions count puts: where the known ones are as many as a version says, there was no other. To be told once, before the questions.
   *
   * @param known for each key, the revisions at which it was put for sure, ascending
   * @param unsure for each key, revisions at which it may have been put too
   */
  accountFor(known: ReadonlyMap<string, readonly number[]>, unsure: ReadonlyMap<string, readonly number[]>): void {
    for (const [key, { versions, explained }] of this.ofKeys) {
      const [puts, others] = [known.get(key) ?? [], unsure.get(key) ?? []];
      for (const { createRevision, modRevision, version } of versions.values()) {
        if (others.some((revision) => revision >= createRevision && revision <= modRevision)) continue;
        const count = countUpTo(puts, modRevision) - countUpTo(puts, createRevision - 1);
        if (count === version) explained.add(createRevision - 1, modRevision);
      }
    }
  }

  /** The key-values that were seen, by {@link nameOfPut}. */
  get seenPuts(): Iterable<string> {
    return this.puts.keys();
  }

  /** Where a put was seen: the revision when there is one only. */
  revisionOf(put: string): number | undefined {
    const [revision, ...others] = this.puts.get(put) ?? [];
    return others.length === 0 ? revision : undefined;
  }

  /** Whether a key may have been put at a revision, for all that was seen of it before and after. */
  mayHavePut(key: string, revision: number): boolean {
    const times = this.ofKeys.get(key);
    return times === undefined || !(times.unchanged.has(revision) || times.explained.has(revision));
  }

  mayHaveDeleted(key: string, revision: number): boolean {
    return this.ofKeys.get(key)?.alive.has(revision) !== true;
  }
}

interface KeyTimes {
  /** Behind a change, up to where it was still the last one. */
  readonly unchanged: Stretches;
  /** Behind a creation, up to where the key still was of that life. */
  readonly alive: Stretches;
  /** From a creation on, up to where all puts are known. */
  readonly explained: Stretches;
  /** What was seen, by the revision of the change. */
  readonly versions: Map<number, mvccpb.KeyValue>;
}

/** How many of ascending numbers are not above a limit. */
function countUpTo(ascending: readonly number[], limit: number): number {
  return ascending.findLastIndex((value) => value <= limit) + 1;
}

/** Stretches of revisions, each known by where it begins and as long as anybody saw; they do not overlap. */
class Stretches {
  /** By the revision before it, the last one. */
  private readonly ends = new Map<number, number>();
  private sorted: readonly number[] | undefined;

  /** (after, end] */
  add(after: number, end: number): void {
    this.ends.set(after, Math.max(this.ends.get(after) ?? 0, end));
    this.sorted = undefined;
  }

  has(revision: number): boolean {
    this.sorted ??= [...this.ends.keys()].sort((a, b) => a - b);
    const after = this.sorted.findLast((other) => other < revision);
    return after !== undefined && (this.ends.get(after) ?? 0) >= revision;
  }
}

/** Equal for puts of the same value to the same key and no others. */
export function nameOfPut(key: Uint8Array, value: Uint8Array): string {
  return `${key.length} ${latin1FromBytes(key)}${latin1FromBytes(value)}`;
}

/** The key in a name of {@link nameOfPut}. */
export function keyOfPut(name: string): string {
  const space = name.indexOf(' ');
  return name.slice(space + 1, space + 1 + Number(name.slice(0, space)));
}

export function observe(history: History): Observations {
  const observations = new Observations();
  for (const { operation, response, revision } of answeredOperations(history.operations)) {
    const { request } = operation;
    if (request.method === 'range' && response.method === 'range') {
      noteRange(observations, request.message, response.message, revision);
    } else if (response.method === 'put' && response.message.prevKv !== undefined) {
      observations.note(response.message.prevKv, revision - 1, true);
    } else if (response.method === 'delete') {
      for (const keyValue of response.message.prevKvs) observations.note(keyValue, revision - 1, true);
    } else if (request.method === 'txn' && response.method === 'txn') {
      // Inside one that changes something, only what was before it is sure.
      const seenAt = hasChanged(response) ? revision - 1 : revision;
      noteTxn(observations, request.message, response.message, seenAt);
    }
  }
  for (const { responses } of history.watches) {
    for (const { message } of responses) for (const event of message.events) noteEvent(observations, event);
  }
  return observations;
}

function noteEvent(observations: Observations, { kv, prevKv }: mvccpb.Event): void {
  if (kv === undefined) return;
  // That of a delete is no key-value.
  if (kv.createRevision > 0) observations.note(kv, kv.modRevision, true);
  if (prevKv !== undefined) observations.note(prevKv, kv.modRevision - 1, true);
}

function noteRange(
  observations: Observations,
  request: etcdserverpb.RangeRequest,
  { kvs }: etcdserverpb.RangeResponse,
  revision: number,
): void {
  const seenAt = request.revision > 0 ? request.revision : revision;
  for (const keyValue of kvs) observations.note(keyValue, Math.max(seenAt, keyValue.modRevision), !request.keysOnly);
}

function noteTxn(
  observations: Observations,
  request: etcdserverpb.TxnRequest,
  { succeeded, responses }: etcdserverpb.TxnResponse,
  seenAt: number,
): void {
  const operations = succeeded ? request.success : request.failure;
  responses.forEach(({ responseRange, responsePut, responseDeleteRange, responseTxn }, i) => {
    const { requestRange, requestTxn } = operations[i] ?? {};
    if (requestRange !== undefined && responseRange !== undefined) {
      noteRange(observations, requestRange, responseRange, seenAt);
    }
    const previous = responsePut?.prevKv === undefined ? (responseDeleteRange?.prevKvs ?? []) : [responsePut.prevKv];
    for (const keyValue of previous) observations.note(keyValue, Math.max(seenAt, keyValue.modRevision), true);
    if (requestTxn !== undefined && responseTxn !== undefined) {
      noteTxn(observations, requestTxn, responseTxn, seenAt);
    }
  });
}

/** The puts that a transaction did, by its answer. */
export function putsDone(
  request: etcdserverpb.TxnRequest,
  response: etcdserverpb.TxnResponse,
): etcdserverpb.PutRequest[] {
  return (response.succeeded ? request.success : request.failure).flatMap(({ requestPut, requestTxn }, i) => {
    if (requestPut !== undefined) return [requestPut];
    const nested = response.responses[i]?.responseTxn;
    return requestTxn === undefined || nested === undefined ? [] : putsDone(requestTxn, nested);
  });
}

/** The puts that a request may do, whatever its compares say. */
export function putsOf(request: KeyValueRequest): etcdserverpb.PutRequest[] {
  if (request.method === 'put') return [request.message];
  return request.method === 'txn' ? putsOfTxn(request.message) : [];
}

function putsOfTxn({ success, failure }: etcdserverpb.TxnRequest): etcdserverpb.PutRequest[] {
  return [...success, ...failure].flatMap(({ requestPut, requestTxn }) => {
    if (requestPut !== undefined) return [requestPut];
    return requestTxn === undefined ? [] : putsOfTxn(requestTxn);
  });
}
