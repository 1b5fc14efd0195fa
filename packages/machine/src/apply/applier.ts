import { type ErrorSymbol, etcdserverpb } from '@quorate/api';
import { assert, copyBytes, type Logger } from '@quorate/base';
import { type AuthStore, type Identity, nobody, type PutAccess } from '../auth/index.ts';
import type { PutCall } from '../mvcc/put-call.ts';
import type { MvccStore } from '../mvcc/store.ts';
import { runTxn } from '../mvcc/txn.ts';
import type { AlarmStore } from './alarm-store.ts';
import { applyMembershipRequest } from './membership-entry.ts';
import { applyOldRequest, readOldRequest } from './old-request.ts';
import { PutEntry } from './put-entry.ts';
import { leaseCost, putCost, type Quota, txnCost } from './quota.ts';
import type { Answer, ApplyResult, CommittedEntry, LeaseMachine, MembershipMachine } from './types.ts';

const { AlarmAction, AlarmType } = etcdserverpb;
type InternalRaftRequest = etcdserverpb.InternalRaftRequest;

export interface ApplierDeps {
  readonly store: MvccStore;
  readonly alarms: AlarmStore;
  readonly leases: LeaseMachine;
  readonly membership: MembershipMachine;
  readonly quota: Quota;
  readonly logger: Logger;
  readonly auth: AuthStore;
  /** A write found this member over its quota while no NOSPACE alarm is raised: time to propose one. */
  readonly onOverQuota?: () => void;
  /** Whether somebody here waits for the request; answers of transactions are not built otherwise. By default somebody does. */
  readonly isAwaited?: (idHigh: number, idLow: number) => boolean;
}

const leaseErrors = {
  'lease/exists': 'ErrGRPCLeaseExist',
  'lease/ttl-too-large': 'ErrGRPCLeaseTTLTooLarge',
  'lease/not-found': 'ErrGRPCLeaseNotFound',
} as const satisfies Record<string, ErrorSymbol>;

/**
 * Applies committed entries of ordinary kind, one after the other, the same on every member. The layers are etcd's, from outside in:
 * alarms, permissions, quota, effect. Everything an entry changes and its index go to the backend in one synchronous
 * stretch, and so into one of its transactions.
 */
export class Applier {
  private readonly deps: ApplierDeps;
  private store: MvccStore;
  private readonly auth: AuthStore;
  private readonly putEntry = new PutEntry();
  private idHigh = 0;
  private idLow = 0;
  /** Of the last entry seen; the first to come is the one behind it. */
  appliedIndex: number;

  /** @param appliedIndex where the log begins: the index of the snapshot that raft starts from. */
  constructor(deps: ApplierDeps, appliedIndex: number) {
    this.deps = deps;
    this.store = deps.store;
    this.auth = deps.auth;
    this.appliedIndex = appliedIndex;
  }

  /** Goes on with another store, a leader's snapshot, that holds the effect of all entries up to `appliedIndex`. */
  restore(store: MvccStore, appliedIndex: number): void {
    assert(appliedIndex > this.appliedIndex, `snapshot ${appliedIndex} is not ahead of entry ${this.appliedIndex}`);
    this.store = store;
    this.appliedIndex = appliedIndex;
  }

  /** Revision of the store. */
  get revision(): number {
    return this.store.currentRevision;
  }

  /** Applies entries in order; each request's result is told in that order. */
  applyAll(entries: readonly CommittedEntry[], answer: Answer): void {
    for (const entry of entries) this.apply(entry, answer);
  }

  /** An entry that the backend already has changes nothing and is not answered. */
  apply(entry: CommittedEntry, answer: Answer): void {
    const { data } = entry;
    if (entry.index > this.store.backend.consistentIndex && data.length > 0) {
      const result = this.putEntry.read(data) ? this.applyPutEntry() : this.applyOther(data, entry.index);
      this.advance(entry.index, entry.term);
      answer(this.idHigh, this.idLow, result);
    } else this.advance(entry.index, entry.term);
  }

  /** Notes that an entry is applied; also called for entries of other kinds and empty ones. */
  advance(index: number, term: number): void {
    assert(index === this.appliedIndex + 1, `entry ${index} applied behind ${this.appliedIndex}`);
    this.appliedIndex = index;
    const { backend } = this.store;
    if (index > backend.consistentIndex) backend.setConsistentIndex(index, term);
  }

  private applyPutEntry(): ApplyResult {
    const { putEntry } = this;
    this.idHigh = putEntry.idHigh;
    this.idLow = putEntry.idLow;
    return this.put(putEntry.call, nobody);
  }

  private applyOther(data: Uint8Array, index: number): ApplyResult {
    const old = readOldRequest(data);
    if (old !== undefined) {
      this.setId(old.id);
      if (!applyOldRequest(old, this.deps.membership)) {
        this.deps.logger.warn('ignored a request of the version 2 store', { method: old.method, path: old.path });
      }
      return { kind: 'done', revision: this.store.currentRevision };
    }
    const request = etcdserverpb.InternalRaftRequest.decode(data);
    this.setId(request.id !== 0n ? request.id : (request.header?.id ?? 0n));
    const { header } = request;
    const identity = header === undefined ? nobody : header;
    return (
      this.applyKeyValue(request, identity) ??
      this.applyLease(request, identity) ??
      (applyMembershipRequest(request, this.deps.membership) ? this.done() : this.applyAuth(request, identity, index))
    );
  }

  private setId(id: bigint): void {
    this.idHigh = Number(id >> 32n);
    this.idLow = Number(id & 0xffff_ffffn);
  }

  private applyKeyValue(request: InternalRaftRequest, identity: Identity): ApplyResult | undefined {
    if (request.put !== undefined) return this.put(this.putEntry.call.set(request.put), identity);
    if (request.deleteRange !== undefined) return this.deleteRange(request.deleteRange, identity);
    if (request.txn !== undefined) return this.txn(request.txn, identity);
    if (request.compaction !== undefined) return this.compact(request.compaction);
    if (request.alarm !== undefined) return this.alarm(request.alarm);
    // Ranges are not proposed; one in an old log has no effect.
    if (request.range !== undefined) return this.done();
    return undefined;
  }

  private put(call: PutCall, identity: Identity): ApplyResult {
    const { store, deps } = this;
    const cost = putCost(call.keyEnd - call.keyStart, call.valueEnd - call.valueStart);
    const refused =
      this.refuseWrite(cost) ??
      (this.auth.isEnabled ? this.auth.permissions.checkPut(identity, accessOf(call)) : undefined) ??
      store.checkPut(call);
    if (refused !== undefined) return this.error(refused);
    const hasRoom = deps.quota.allows(cost);
    store.begin();
    const prevKv = store.put(call);
    store.end();
    return hasRoom ? { kind: 'put', revision: store.currentRevision, prevKv } : this.overQuota();
  }

  private deleteRange(request: etcdserverpb.DeleteRangeRequest, identity: Identity): ApplyResult {
    const { store } = this;
    const refused =
      this.refuseWrite(0) ??
      (this.auth.isEnabled ? this.auth.permissions.checkDeleteRange(identity, request) : undefined);
    if (refused !== undefined) return this.error(refused);
    store.begin();
    const { deleted, prevKvs } = store.deleteRange(request.key, request.rangeEnd, request.prevKv && this.isAwaited());
    store.end();
    return { kind: 'delete', revision: store.currentRevision, deleted, prevKvs };
  }

  private txn(request: etcdserverpb.TxnRequest, identity: Identity): ApplyResult {
    const { store, deps } = this;
    const cost = txnCost(request);
    const refused =
      this.refuseWrite(cost) ?? (this.auth.isEnabled ? this.auth.permissions.checkTxn(identity, request) : undefined);
    if (refused !== undefined) return this.error(refused);
    const hasRoom = deps.quota.allows(cost);
    const result = runTxn(store, request, this.isAwaited());
    if (typeof result === 'string') return this.error(result);
    if (!hasRoom) return this.overQuota();
    return { kind: 'txn', revision: store.currentRevision, succeeded: result.succeeded, responses: result.responses };
  }

  private compact(request: etcdserverpb.CompactionRequest): ApplyResult {
    const refused = this.refuseWrite(0);
    if (refused !== undefined) return this.error(refused);
    const { error, physical } = this.store.compact(request.revision);
    const revision = this.store.currentRevision;
    if (error !== undefined) return { kind: 'error', symbol: error, revision, physical };
    return { kind: 'compaction', revision, physical };
  }

  private alarm(request: etcdserverpb.AlarmRequest): ApplyResult {
    const { alarms, logger } = this.deps;
    const isGet = request.action === AlarmAction.GET;
    let touched: etcdserverpb.AlarmMember | undefined;
    if (request.action === AlarmAction.ACTIVATE) {
      touched = alarms.activate(request.memberId, request.alarm);
      if (touched !== undefined) logger.warn('alarm raised', alarmFields(touched));
    } else if (request.action === AlarmAction.DEACTIVATE) {
      touched = alarms.deactivate(request.memberId, request.alarm);
      if (touched !== undefined) logger.warn('alarm disarmed', alarmFields(touched));
    }
    const listed = isGet ? alarms.list(request.alarm) : touched === undefined ? [] : [touched];
    return { kind: 'alarm', revision: this.store.currentRevision, alarms: listed };
  }

  private applyLease(request: InternalRaftRequest, identity: Identity): ApplyResult | undefined {
    if (request.leaseGrant !== undefined) return this.grantLease(request.leaseGrant);
    if (request.leaseRevoke !== undefined) return this.revokeLease(request.leaseRevoke.id, identity);
    if (request.leaseCheckpoint === undefined) return undefined;
    for (const { id, remainingTtl } of request.leaseCheckpoint.checkpoints) {
      this.deps.leases.checkpoint(id, remainingTtl);
    }
    return this.done();
  }

  private grantLease(request: etcdserverpb.LeaseGrantRequest): ApplyResult {
    const { deps } = this;
    const refused = this.refuseWrite(leaseCost);
    if (refused !== undefined) return this.error(refused);
    const hasRoom = deps.quota.allows(leaseCost);
    const granted = deps.leases.grant(request.id, request.ttl);
    if (!granted.ok) return this.error(leaseErrors[granted.code]);
    if (!hasRoom) return this.overQuota();
    const revision = this.store.currentRevision;
    return { kind: 'lease-grant', revision, id: request.id, ttlSeconds: granted.ttlSeconds };
  }

  private revokeLease(id: bigint, identity: Identity): ApplyResult {
    const refused =
      this.refuseWrite(0) ??
      (this.auth.isEnabled ? this.auth.permissions.checkLeaseKeys(identity, id, 'write') : undefined);
    if (refused !== undefined) return this.error(refused);
    const { store } = this;
    const isKnown = this.deps.leases.revoke(id, (keys) => store.deleteKeys(keys));
    return isKnown ? { kind: 'lease-revoke', revision: store.currentRevision } : this.error('ErrGRPCLeaseNotFound');
  }

  /** An entry that is nothing we know must not be passed over: the members would go apart. */
  private applyAuth(request: InternalRaftRequest, identity: Identity, index: number): ApplyResult {
    const answer = this.auth.apply(request, identity, index);
    assert(answer !== undefined, `entry ${index} holds no request that is known here`);
    return typeof answer === 'string' ? this.error(answer) : { ...answer, revision: this.store.currentRevision };
  }

  /** Why alarms forbid a write of that cost, if they do. */
  private refuseWrite(cost: number): ErrorSymbol | undefined {
    const { alarms } = this.deps;
    if (alarms.hasCorrupt) return 'ErrGRPCCorrupt';
    return cost > 0 && alarms.hasNoSpace ? 'ErrGRPCNoSpace' : undefined;
  }

  /** The write was done, but its caller hears that there is no space, and the alarm is due. */
  private overQuota(): ApplyResult {
    if (!this.deps.alarms.hasNoSpace) this.deps.onOverQuota?.();
    return this.error('ErrGRPCNoSpace');
  }

  private isAwaited(): boolean {
    return this.deps.isAwaited?.(this.idHigh, this.idLow) ?? true;
  }

  private done(): ApplyResult {
    return { kind: 'done', revision: this.store.currentRevision };
  }

  private error(symbol: ErrorSymbol): ApplyResult {
    return { kind: 'error', symbol, revision: this.store.currentRevision };
  }
}

function alarmFields(alarm: etcdserverpb.AlarmMember): Record<string, string> {
  const type = alarm.alarm === AlarmType.NOSPACE ? 'NOSPACE' : alarm.alarm === AlarmType.CORRUPT ? 'CORRUPT' : 'NONE';
  return { alarm: type, 'member-id': alarm.memberId.toString(16) };
}

function accessOf({ key, keyStart, keyEnd, lease, prevKv }: PutCall): PutAccess {
  return { key: copyBytes(key, keyStart, keyEnd), lease, prevKv };
}
