import { type ErrorSymbol, etcdserverpb, mvccpb } from '@quorate/api';
import { emptyBytes, latin1FromBytes } from '@quorate/base';
import { type Keys, type ModelState, scanInterval } from './state.ts';

/** Changes to a state that become one revision. */
export class Draft {
  private readonly base: ModelState;
  keys: Keys;
  readonly events: mvccpb.Event[] = [];

  constructor(base: ModelState) {
    this.base = base;
    this.keys = base.keys;
  }

  /** Revision in force now: the next one as soon as something changed. */
  get revision(): number {
    return this.base.revision + (this.events.length > 0 ? 1 : 0);
  }

  /** The state with the changes. */
  get state(): ModelState {
    return this.events.length === 0 ? this.base : { ...this.base, revision: this.revision, keys: this.keys };
  }

  put(request: etcdserverpb.PutRequest): etcdserverpb.PutResponse {
    const text = latin1FromBytes(request.key);
    const previous = this.keys.get(text);
    const modRevision = this.base.revision + 1;
    const keyValue: mvccpb.KeyValue = {
      key: request.key,
      createRevision: previous?.createRevision ?? modRevision,
      modRevision,
      version: (previous?.version ?? 0) + 1,
      value: request.ignoreValue ? (previous?.value ?? emptyBytes) : request.value,
      lease: request.ignoreLease ? (previous?.lease ?? 0n) : request.lease,
    };
    this.keys = this.keys.set(text, keyValue);
    this.note(mvccpb.EventType.PUT, keyValue, text);
    return etcdserverpb.PutResponse.create({
      header: headerOf(this.revision),
      prevKv: request.prevKv ? previous : undefined,
    });
  }

  deleteRange(request: etcdserverpb.DeleteRangeRequest): etcdserverpb.DeleteRangeResponse {
    const doomed: mvccpb.KeyValue[] = [];
    scanInterval(this.keys, request.key, request.rangeEnd, (keyValue) => {
      doomed.push(keyValue);
      return true;
    });
    this.delete(doomed);
    return etcdserverpb.DeleteRangeResponse.create({
      header: headerOf(this.revision),
      deleted: doomed.length,
      prevKvs: request.prevKv ? doomed : [],
    });
  }

  delete(doomed: readonly mvccpb.KeyValue[]): void {
    for (const { key } of doomed) {
      const text = latin1FromBytes(key);
      this.keys = this.keys.delete(text);
      const tombstone = mvccpb.KeyValue.create({ key, modRevision: this.base.revision + 1 });
      this.note(mvccpb.EventType.DELETE, tombstone, text);
    }
  }

  /** Previous values of events are those of the revision before, whatever else a transaction did to the key. */
  private note(type: mvccpb.EventType, kv: mvccpb.KeyValue, text: string): void {
    const isNew = type === mvccpb.EventType.PUT && kv.createRevision === kv.modRevision;
    this.events.push({ type, kv, prevKv: isNew ? undefined : this.base.keys.get(text) });
  }
}

/** Why a put cannot be done on a state. */
export function refusePut(state: ModelState, request: etcdserverpb.PutRequest): ErrorSymbol | undefined {
  if (request.lease !== 0n && !state.leases.has(String(request.lease))) return 'ErrGRPCLeaseNotFound';
  const needsKey = request.ignoreValue || request.ignoreLease;
  return needsKey && !state.keys.has(latin1FromBytes(request.key)) ? 'ErrGRPCKeyNotFound' : undefined;
}

/** A header with the revision, all that the model knows of it. */
export function headerOf(revision: number): etcdserverpb.ResponseHeader {
  return etcdserverpb.ResponseHeader.create({ revision });
}
