import { type ErrorSymbol, etcdserverpb } from '@quorate/api';
import { type Clock, latin1ToBytes, SeededRandom, silentLogger } from '@quorate/base';
import { type Backend, createMemoryBackend } from '@quorate/storage';
import { AuthStore, type Identity, nobody } from '../../auth/index.ts';
import { Lessor } from '../../lease/index.ts';
import {
  checkDeleteRangeRequest,
  checkPutRequest,
  checkRangeRequest,
  checkTxnRequest,
  isReadOnlyTxn,
} from '../../mvcc/request-checks.ts';
import { openStore } from '../../mvcc/restore.ts';
import type { MvccStore } from '../../mvcc/store.ts';
import { runTxn } from '../../mvcc/txn.ts';
import { AlarmStore } from '../alarm-store.ts';
import { Applier } from '../applier.ts';
import { Quota } from '../quota.ts';
import type { ApplyResult } from '../types.ts';

type Init<T> = { [Key in keyof T]?: T[Key] | undefined };

/** Store, lessor, alarms and applier on a backend in memory, called as the RPC layer does: check first, then through an entry. */
export class TestMachine {
  readonly backend: Backend;
  readonly lessor: Lessor;
  readonly alarms: AlarmStore;
  readonly auth: AuthStore;
  /** Whose requests are proposed. */
  identity: Identity = nobody;
  readonly store: MvccStore;
  readonly applier: Applier;
  readonly membership: string[] = [];
  overQuota = 0;
  private lastId = 0n;

  private constructor(
    backend: Backend,
    lessor: Lessor,
    store: MvccStore,
    quota: Quota,
    auth: AuthStore = new AuthStore({ backend, leases: lessor }),
  ) {
    this.backend = backend;
    this.lessor = lessor;
    this.store = store;
    this.alarms = new AlarmStore(backend);
    this.auth = auth;
    const { membership } = this;
    this.applier = new Applier(
      {
        store,
        alarms: this.alarms,
        leases: lessor,
        auth: this.auth,
        membership: {
          setClusterVersion: (version) => membership.push(`version ${version}`),
          setAttributes: (id, name, urls) => membership.push(`attributes ${id.toString(16)} ${name} ${urls}`),
          setDowngrade: (enabled, version) => membership.push(`downgrade ${enabled} ${version}`),
        },
        quota,
        logger: silentLogger,
        onOverQuota: () => {
          this.overQuota += 1;
        },
      },
      backend.consistentIndex,
    );
  }

  static async open(
    clock: Clock,
    options: { backend?: Backend; quotaBytes?: number; size?: () => number; auth?: AuthStore } = {},
  ) {
    const backend = options.backend ?? createMemoryBackend({ clock });
    const lessor = new Lessor({ backend }, { ttlSecondsMin: 2 });
    const random = new SeededRandom(1);
    const store = await openStore({ backend, clock, random, logger: silentLogger, leases: lessor });
    const size = options.size ?? (() => backend.size());
    return new TestMachine(backend, lessor, store, new Quota(size, options.quotaBytes ?? 0), options.auth);
  }

  /** Applies one request as the next entry. */
  propose(request: Init<etcdserverpb.InternalRaftRequest>): ApplyResult {
    this.lastId += 1n;
    const header = etcdserverpb.RequestHeader.create({ id: this.lastId, ...this.identity });
    const { InternalRaftRequest } = etcdserverpb;
    return this.applyBytes(InternalRaftRequest.encode(InternalRaftRequest.create({ ...request, header })), this.lastId);
  }

  /** Applies bytes as the next entry; checks that the answer names the request. */
  applyBytes(data: Uint8Array, id: bigint): ApplyResult {
    let result: ApplyResult | undefined;
    let answeredId = -1n;
    const entry = { index: this.applier.appliedIndex + 1, term: 1, data };
    this.applier.apply(entry, (idHigh, idLow, answer) => {
      answeredId = (BigInt(idHigh) << 32n) | BigInt(idLow);
      result = answer;
    });
    if (result === undefined || answeredId !== id) throw new Error(`answer of ${answeredId} instead of ${id}`);
    return result;
  }

  range(init: Init<etcdserverpb.RangeRequest>): etcdserverpb.RangeResponse | ErrorSymbol {
    const request = etcdserverpb.RangeRequest.create(init);
    const result = checkRangeRequest(request) ?? this.store.range(request);
    if (typeof result === 'string') return result;
    const { RangeResponseRaw, RangeResponse, ResponseHeader } = etcdserverpb;
    const header = ResponseHeader.encode(ResponseHeader.create({ revision: result.revision }));
    return RangeResponse.decode(RangeResponseRaw.encode({ ...result, header }));
  }

  put(key: string, value: string, init: Init<etcdserverpb.PutRequest> = {}): ApplyResult | ErrorSymbol {
    const put = etcdserverpb.PutRequest.create({ key: latin1ToBytes(key), value: latin1ToBytes(value), ...init });
    return checkPutRequest(put) ?? symbolOf(this.propose({ put }));
  }

  delete(key: string, rangeEnd = '', prevKv = false): ApplyResult | ErrorSymbol {
    const init = { key: latin1ToBytes(key), rangeEnd: latin1ToBytes(rangeEnd), prevKv };
    const deleteRange = etcdserverpb.DeleteRangeRequest.create(init);
    return checkDeleteRangeRequest(deleteRange) ?? symbolOf(this.propose({ deleteRange }));
  }

  /** The response with the store's revision in its header. */
  txn(init: Init<etcdserverpb.TxnRequest>, operationsMax = 128): etcdserverpb.TxnResponse | ErrorSymbol {
    const txn = etcdserverpb.TxnRequest.create(init);
    const error = checkTxnRequest(txn, operationsMax);
    if (error !== undefined) return error;
    const result = isReadOnlyTxn(txn) ? runTxn(this.store, txn) : symbolOf(this.propose({ txn }));
    if (typeof result === 'string') return result;
    if (!('responses' in result)) throw new Error(`transaction answered as ${result.kind}`);
    const { TxnResponseRaw, TxnResponse, ResponseHeader } = etcdserverpb;
    const header = ResponseHeader.encode(ResponseHeader.create({ revision: this.store.currentRevision }));
    const { succeeded, responses } = result;
    return TxnResponse.decode(TxnResponseRaw.encode({ header, succeeded, responses }));
  }

  compact(revision: number): ApplyResult | ErrorSymbol {
    return symbolOf(this.propose({ compaction: etcdserverpb.CompactionRequest.create({ revision }) }));
  }

  grant(id: bigint, ttl = 60): ApplyResult | ErrorSymbol {
    return symbolOf(this.propose({ leaseGrant: etcdserverpb.LeaseGrantRequest.create({ id, ttl }) }));
  }

  revoke(id: bigint): ApplyResult | ErrorSymbol {
    return symbolOf(this.propose({ leaseRevoke: etcdserverpb.LeaseRevokeRequest.create({ id }) }));
  }

  alarm(action: number, memberId: bigint, alarm: number): ApplyResult | ErrorSymbol {
    return symbolOf(this.propose({ alarm: etcdserverpb.AlarmRequest.create({ action, memberId, alarm }) }));
  }
}

/** Errors as their symbols, so that a test compares one thing. */
function symbolOf(result: ApplyResult): ApplyResult | ErrorSymbol {
  return result.kind === 'error' ? result.symbol : result;
}

export function rangeOp(key: string, init: Init<etcdserverpb.RangeRequest> = {}): etcdserverpb.RequestOp {
  const requestRange = etcdserverpb.RangeRequest.create({ key: latin1ToBytes(key), ...init });
  return etcdserverpb.RequestOp.create({ requestRange });
}

export function putOp(key: string, value = 'v', init: Init<etcdserverpb.PutRequest> = {}): etcdserverpb.RequestOp {
  const requestPut = etcdserverpb.PutRequest.create({ key: latin1ToBytes(key), value: latin1ToBytes(value), ...init });
  return etcdserverpb.RequestOp.create({ requestPut });
}

export function deleteOp(key: string, rangeEnd = ''): etcdserverpb.RequestOp {
  const init = { key: latin1ToBytes(key), rangeEnd: latin1ToBytes(rangeEnd) };
  return etcdserverpb.RequestOp.create({ requestDeleteRange: etcdserverpb.DeleteRangeRequest.create(init) });
}

export function txnOp(init: Init<etcdserverpb.TxnRequest>): etcdserverpb.RequestOp {
  return etcdserverpb.RequestOp.create({ requestTxn: etcdserverpb.TxnRequest.create(init) });
}

export function compare(key: string, init: Init<etcdserverpb.Compare>): etcdserverpb.Compare {
  return etcdserverpb.Compare.create({ key: latin1ToBytes(key), ...init });
}
