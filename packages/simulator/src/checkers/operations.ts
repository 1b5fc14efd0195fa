import { etcdserverpb } from '@quorate/api';
import { latin1FromBytes } from '@quorate/base';
import type { KeyValueRequest, KeyValueResponse, Operation } from '../history/history.ts';
import { isReadOnly } from '../model/key-value-model.ts';
import { showBytes } from './difference.ts';

/** An operation with its answer at hand. */
export interface Answered {
  readonly operation: Operation;
  readonly response: KeyValueResponse;
  /** Of the header. */
  readonly revision: number;
}

export function answeredOperations(operations: readonly Operation[]): Answered[] {
  const answered: Answered[] = [];
  for (const operation of operations) {
    const { outcome } = operation;
    if (outcome.kind !== 'ok') continue;
    const { response } = outcome;
    answered.push({ operation, response, revision: response.message.header?.revision ?? 0 });
  }
  return answered;
}

/** In the order in which they began; the calls of one client are in the order of their ids. */
export function inOrderOfInvocation(operations: readonly Operation[]): Operation[] {
  return [...operations].sort((a, b) => a.invokedMs - b.invokedMs || a.id - b.id);
}

/** Whether a request is answered without the log. */
export function isRead(request: KeyValueRequest): boolean {
  return request.method === 'range' || (request.method === 'txn' && isReadOnly(request.message));
}

/** Whether a read may be answered from the past: a transaction only when all of its ranges may. */
export function isSerializable(request: KeyValueRequest): boolean {
  if (request.method === 'range') return request.message.serializable;
  if (request.method !== 'txn' || !isReadOnly(request.message)) return false;
  const { success, failure } = request.message;
  return [...success, ...failure].every(({ requestRange }) => requestRange?.serializable === true);
}

/** Whether a write says that it changed something. */
export function hasChanged(response: KeyValueResponse): boolean {
  if (response.method === 'put') return true;
  if (response.method === 'delete') return response.message.deleted > 0;
  return response.method === 'txn' && txnHasChanged(response.message);
}

function txnHasChanged({ responses }: etcdserverpb.TxnResponse): boolean {
  return responses.some(
    ({ responsePut, responseDeleteRange, responseTxn }) =>
      responsePut !== undefined ||
      (responseDeleteRange?.deleted ?? 0) > 0 ||
      (responseTxn !== undefined && txnHasChanged(responseTxn)),
  );
}

/** Equal for equal requests and no others, for use in maps. */
export function contentOf(request: KeyValueRequest): string {
  return request.method + latin1FromBytes(encode(request));
}

function encode(request: KeyValueRequest): Uint8Array {
  switch (request.method) {
    case 'put':
      return etcdserverpb.PutRequest.encode(request.message);
    case 'range':
      return etcdserverpb.RangeRequest.encode(request.message);
    case 'delete':
      return etcdserverpb.DeleteRangeRequest.encode(request.message);
    case 'txn':
      return etcdserverpb.TxnRequest.encode(request.message);
    case 'compact':
      return etcdserverpb.CompactionRequest.encode(request.message);
  }
}

/** `operation 12 (client 3 at m1, put "a")`, as violations name it. */
export function nameOf({ id, client, member, request }: Operation): string {
  return `operation ${id} (client ${client} at ${member}, ${nameOfRequest(request)})`;
}

export function nameOfRequest(request: KeyValueRequest): string {
  switch (request.method) {
    case 'put':
      return `put ${showBytes(request.message.key)}`;
    case 'range':
    case 'delete':
      return `${request.method} ${nameOfInterval(request.message)}`;
    case 'txn':
      return `txn of ${request.message.success.length}/${request.message.failure.length}`;
    case 'compact':
      return `compact ${request.message.revision}`;
  }
}

export function nameOfInterval({ key, rangeEnd }: { key: Uint8Array; rangeEnd: Uint8Array }): string {
  return rangeEnd.length === 0 ? showBytes(key) : `[${showBytes(key)}, ${showBytes(rangeEnd)})`;
}
