import { etcdserverpb, type mvccpb } from '@quorate/api';
import { latin1FromBytes, latin1ToBytes } from '@quorate/base';
import type { KeyValueRequest } from '../../history/history.ts';
import type { ModelRequest } from '../state.ts';

type Fields<M, Text extends keyof M> = Partial<Omit<M, Text>>;

export function put(
  key: string,
  value: string,
  fields: Fields<etcdserverpb.PutRequest, 'key' | 'value'> = {},
): KeyValueRequest & { method: 'put' } {
  const message = etcdserverpb.PutRequest.create({ key: latin1ToBytes(key), value: latin1ToBytes(value), ...fields });
  return { method: 'put', message };
}

/** @param end as in the API: empty for the key alone. */
export function range(
  key: string,
  end = '',
  fields: Fields<etcdserverpb.RangeRequest, 'key' | 'rangeEnd'> = {},
): KeyValueRequest & { method: 'range' } {
  const interval = { key: latin1ToBytes(key), rangeEnd: latin1ToBytes(end) };
  return { method: 'range', message: etcdserverpb.RangeRequest.create({ ...interval, ...fields }) };
}

export function del(key: string, end = '', prevKv = false): KeyValueRequest & { method: 'delete' } {
  const interval = { key: latin1ToBytes(key), rangeEnd: latin1ToBytes(end) };
  return { method: 'delete', message: etcdserverpb.DeleteRangeRequest.create({ ...interval, prevKv }) };
}

export function compact(revision: number): KeyValueRequest & { method: 'compact' } {
  return { method: 'compact', message: etcdserverpb.CompactionRequest.create({ revision }) };
}

export function grant(id: bigint): ModelRequest {
  return { method: 'lease-grant', message: etcdserverpb.LeaseGrantRequest.create({ id, ttl: 10 }) };
}

export function revoke(id: bigint): ModelRequest {
  return { method: 'lease-revoke', message: etcdserverpb.LeaseRevokeRequest.create({ id }) };
}

export function alarm(action: etcdserverpb.AlarmAction, type: etcdserverpb.AlarmType): ModelRequest {
  return { method: 'alarm', message: etcdserverpb.AlarmRequest.create({ action, memberId: 1n, alarm: type }) };
}

/** Operations and nested transactions are given as requests. */
export function txn(
  compare: readonly etcdserverpb.Compare[],
  success: readonly KeyValueRequest[],
  failure: readonly KeyValueRequest[] = [],
): KeyValueRequest & { method: 'txn' } {
  const message = etcdserverpb.TxnRequest.create({
    compare: [...compare],
    success: success.map(operation),
    failure: failure.map(operation),
  });
  return { method: 'txn', message };
}

/** A compare for equality, unless the fields say otherwise. */
export function compare(
  target: keyof typeof etcdserverpb.CompareTarget,
  key: string,
  fields: Partial<etcdserverpb.Compare>,
): etcdserverpb.Compare {
  return etcdserverpb.Compare.create({
    target: etcdserverpb.CompareTarget[target],
    key: latin1ToBytes(key),
    rangeEnd: latin1ToBytes(''),
    ...fields,
  });
}

function operation(request: KeyValueRequest): etcdserverpb.RequestOp {
  const { RequestOp } = etcdserverpb;
  switch (request.method) {
    case 'put':
      return RequestOp.create({ requestPut: request.message });
    case 'range':
      return RequestOp.create({ requestRange: request.message });
    case 'delete':
      return RequestOp.create({ requestDeleteRange: request.message });
    case 'txn':
      return RequestOp.create({ requestTxn: request.message });
    case 'compact':
      throw new Error('a compaction is no operation of a transaction');
  }
}

/** `key=value create.mod.version`, with the lease when there is one. */
export function describe(keyValue: mvccpb.KeyValue | undefined): string {
  if (keyValue === undefined) return 'none';
  const { key, value, createRevision, modRevision, version, lease } = keyValue;
  const text = `${latin1FromBytes(key)}=${latin1FromBytes(value)} ${createRevision}.${modRevision}.${version}`;
  return lease === 0n ? text : `${text} lease ${lease}`;
}
