import { type ErrorSymbol, etcdserverpb, type mvccpb } from '@quorate/api';
import { assert } from '@quorate/base';
import type { KeyValueResponse } from '../history/history.ts';
import { Draft, headerOf, refusePut } from './draft.ts';
import { readRange } from './range.ts';
import {
  type Applied,
  emptyKeys,
  initialState,
  type Keys,
  type ModelRequest,
  type ModelState,
  type Past,
} from './state.ts';
import { planTransaction, refusePlan, runPlan } from './transaction.ts';

const { AlarmAction, AlarmType } = etcdserverpb;
const leaseTtlMaxSeconds = 9_000_000_000;

/**
 * What a request that passed validation does to a state and answers. Written from the specification alone, to be obviously right, and
 * with nothing of the state machine that it is compared with.
 */
export function applyRequest(state: ModelState, request: ModelRequest, past: Past): Applied {
  const alarmed = refuseByAlarm(state, request);
  if (alarmed !== undefined) return refused(state, alarmed);
  switch (request.method) {
    case 'put': {
      const error = refusePut(state, request.message);
      if (error !== undefined) return refused(state, error);
      const draft = new Draft(state);
      return changed(draft, { method: 'put', message: draft.put(request.message) });
    }
    case 'delete': {
      const draft = new Draft(state);
      return changed(draft, { method: 'delete', message: draft.deleteRange(request.message) });
    }
    case 'txn': {
      const plan = planTransaction(state, request.message);
      const error = refusePlan(state, plan);
      if (error !== undefined) return refused(state, error);
      const draft = new Draft(state);
      const message = runPlan(draft, plan, past);
      return changed(draft, { method: 'txn', message: { ...message, header: headerOf(draft.revision) } });
    }
    case 'range':
      return range(state, request.message, past);
    case 'compact':
      return compact(state, request.message.revision);
    case 'lease-grant':
      return grantLease(state, request.message);
    case 'lease-revoke':
      return revokeLease(state, request.message.id);
    case 'alarm':
      return done(setAlarm(state, request.message));
  }
}

/** Alarms forbid writes: for want of space those that need some, for corruption all. */
function refuseByAlarm({ alarms }: ModelState, request: ModelRequest): ErrorSymbol | undefined {
  if (alarms.size === 0 || request.method === 'range' || request.method === 'alarm') return undefined;
  if (request.method === 'txn' && isReadOnly(request.message)) return undefined;
  if (hasAlarm(alarms, AlarmType.CORRUPT)) return 'ErrGRPCCorrupt';
  const needsSpace =
    request.method === 'put' ||
    request.method === 'lease-grant' ||
    (request.method === 'txn' && hasPut(request.message));
  return needsSpace && hasAlarm(alarms, AlarmType.NOSPACE) ? 'ErrGRPCNoSpace' : undefined;
}

function hasAlarm(alarms: ModelState['alarms'], type: etcdserverpb.AlarmType): boolean {
  let found = false;
  alarms.scan(`${type}:`, `${type};`, () => {
    found = true;
    return false;
  });
  return found;
}

/** Whether a put is in either branch, at any depth. */
function hasPut({ success, failure }: etcdserverpb.TxnRequest): boolean {
  return [...success, ...failure].some(
    ({ requestPut, requestTxn }) => requestPut !== undefined || (requestTxn !== undefined && hasPut(requestTxn)),
  );
}

/** Whether a transaction is answered without the log: only ranges, nested transactions never. */
export function isReadOnly({ success, failure }: etcdserverpb.TxnRequest): boolean {
  return [...success, ...failure].every(({ requestRange }) => requestRange !== undefined);
}

function range(state: ModelState, request: etcdserverpb.RangeRequest, past: Past): Applied {
  const { revision } = request;
  if (revision > state.revision) return refused(state, 'ErrGRPCFutureRev');
  if (revision > 0 && revision < state.compactRevision) return refused(state, 'ErrGRPCCompacted');
  const keys = revision > 0 ? past(revision) : state.keys;
  assert(keys !== undefined, `keys at revision ${revision} are known`);
  return done(state, {
    method: 'range',
    message: { ...readRange(keys, request), header: headerOf(state.revision) },
  });
}

function compact(state: ModelState, revision: number): Applied {
  if (revision <= state.compactRevision) return refused(state, 'ErrGRPCCompacted');
  if (revision > state.revision) return refused(state, 'ErrGRPCFutureRev');
  const message = etcdserverpb.CompactionResponse.create({ header: headerOf(state.revision) });
  return done({ ...state, compactRevision: revision }, { method: 'compact', message });
}

function grantLease(state: ModelState, { id, ttl }: etcdserverpb.LeaseGrantRequest): Applied {
  if (ttl > leaseTtlMaxSeconds) return refused(state, 'ErrGRPCLeaseTTLTooLarge');
  if (state.leases.has(String(id))) return refused(state, 'ErrGRPCLeaseExist');
  return done({ ...state, leases: state.leases.set(String(id), true) });
}

/** All keys on the lease go in one revision. */
function revokeLease(state: ModelState, id: bigint): Applied {
  if (!state.leases.has(String(id))) return refused(state, 'ErrGRPCLeaseNotFound');
  const doomed: mvccpb.KeyValue[] = [];
  state.keys.scan('', undefined, (keyValue) => {
    if (keyValue.lease === id) doomed.push(keyValue);
    return true;
  });
  const draft = new Draft({ ...state, leases: state.leases.delete(String(id)) });
  draft.delete(doomed);
  return changed(draft);
}

function setAlarm(state: ModelState, { action, memberId, alarm }: etcdserverpb.AlarmRequest): ModelState {
  const name = `${alarm}:${memberId}`;
  if (alarm === AlarmType.NONE) return state;
  if (action === AlarmAction.ACTIVATE) return { ...state, alarms: state.alarms.set(name, true) };
  if (action === AlarmAction.DEACTIVATE) return { ...state, alarms: state.alarms.delete(name) };
  return state;
}

function refused(state: ModelState, error: ErrorSymbol): Applied {
  return { state, events: [], error, response: undefined };
}

function done(state: ModelState, response?: KeyValueResponse): Applied {
  return { state, events: [], error: undefined, response };
}

function changed(draft: Draft, response?: KeyValueResponse): Applied {
  return { state: draft.state, events: draft.events, error: undefined, response };
}

/** A store that is fed requests in order and remembers every revision: its keys and what changed in it. */
export class KeyValueModel {
  state: ModelState = initialState;
  /** By revision; nothing ever changed at 0 and 1. */
  private readonly keysByRevision: Keys[] = [emptyKeys, emptyKeys];
  private readonly eventsByRevision: (readonly mvccpb.Event[])[] = [[], []];

  get revision(): number {
    return this.state.revision;
  }

  apply(request: ModelRequest): Applied {
    const applied = applyRequest(this.state, request, (revision) => this.keysAt(revision));
    this.state = applied.state;
    if (applied.events.length > 0) {
      this.keysByRevision.push(applied.state.keys);
      this.eventsByRevision.push(applied.events);
      assert(this.keysByRevision.length === this.revision + 1, 'a change is one revision');
    }
    return applied;
  }

  /** The keys as they were, also of revisions that are compacted; undefined for one that has not been. */
  keysAt(revision: number): Keys | undefined {
    return this.keysByRevision[revision];
  }

  /** What changed in a revision, in order. */
  eventsOf(revision: number): readonly mvccpb.Event[] {
    return this.eventsByRevision[revision] ?? [];
  }

  /** What a request that changes nothing would have answered at a revision of the past, had nothing been compacted. */
  readAt(revision: number, request: ModelRequest): Applied | undefined {
    const keys = this.keysAt(revision);
    if (keys === undefined) return undefined;
    return applyRequest({ ...initialState, revision, keys }, request, (past) => this.keysAt(past));
  }
}
