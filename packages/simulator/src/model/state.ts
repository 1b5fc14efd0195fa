import type { ErrorSymbol, etcdserverpb, mvccpb } from '@quorate/api';
import { latin1FromBytes } from '@quorate/base';
import type { KeyValueRequest, KeyValueResponse } from '../history/history.ts';
import { SortedMap } from './sorted-map.ts';

/** Live keys; key-values are never changed once they are in. */
export type Keys = SortedMap<mvccpb.KeyValue>;

/** Everything that decides what the next request answers, except the past for reads at old revisions. It never changes. */
export interface ModelState {
  /** 1 for an empty store. */
  readonly revision: number;
  /** -1 before the first compaction. */
  readonly compactRevision: number;
  readonly keys: Keys;
  /** Leases that exist, by id in decimal. */
  readonly leases: SortedMap<true>;
  /** Alarms that are raised, as `type:member`. */
  readonly alarms: SortedMap<true>;
}

export type ModelRequest =
  | KeyValueRequest
  | { readonly method: 'lease-grant'; readonly message: etcdserverpb.LeaseGrantRequest }
  | { readonly method: 'lease-revoke'; readonly message: etcdserverpb.LeaseRevokeRequest }
  | { readonly method: 'alarm'; readonly message: etcdserverpb.AlarmRequest };

/** What a request does to a state. A refused one changes nothing. */
export interface Applied {
  readonly state: ModelState;
  /** What changed, in order, all at the new state's revision; empty when the revision stays. */
  readonly events: readonly mvccpb.Event[];
  readonly error: ErrorSymbol | undefined;
  /** Of a request of the key-value service that is not refused. Of the header, only the revision means something. */
  readonly response: KeyValueResponse | undefined;
}

/** Keys as they were at a revision of the past, undefined when that is not known. */
export type Past = (revision: number) => Keys | undefined;

export const emptyKeys: Keys = SortedMap.empty(hashKeyValue);

export const initialState: ModelState = {
  revision: 1,
  compactRevision: -1,
  keys: emptyKeys,
  leases: SortedMap.empty<true>(() => 1),
  alarms: SortedMap.empty<true>(() => 1),
};

function hashKeyValue({ createRevision, modRevision, version }: mvccpb.KeyValue): number {
  return Math.imul(modRevision, 0x85eb_ca6b) ^ Math.imul(version, 0xc2b2_ae35) ^ createRevision;
}

/**
 * Visits the key-values of an interval of the API in order of their keys until the visitor answers false. No end: the key alone; an end
 * of one zero byte: all from the key on.
 */
export function scanInterval(
  keys: Keys,
  key: Uint8Array,
  rangeEnd: Uint8Array,
  visit: (keyValue: mvccpb.KeyValue, key: string) => boolean,
): void {
  const from = latin1FromBytes(key);
  if (rangeEnd.length === 0) {
    const found = keys.get(from);
    if (found !== undefined) visit(found, from);
  } else keys.scan(from, isOpenEnd(rangeEnd) ? undefined : latin1FromBytes(rangeEnd), visit);
}

/** Whether a key lies in an interval of the API. */
export function isInInterval(text: string, from: string, rangeEnd: Uint8Array): boolean {
  if (rangeEnd.length === 0) return text === from;
  return text >= from && (isOpenEnd(rangeEnd) || text < latin1FromBytes(rangeEnd));
}

function isOpenEnd(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}
