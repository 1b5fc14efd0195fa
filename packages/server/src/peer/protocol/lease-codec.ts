import { DecodeError, etcdserverpb, leasepb } from '@quorate/api';
import type { PeerLease } from '../peer-client.ts';
import { badAnswer } from './documents.ts';

/*
 * What a member asks the leader about leases (peer protocol, 5.5). Renewals are the client's own messages, without a header; questions for
 * the rest of a lease are wrapped in a message of their own.
 */

function decoded<Value>(decode: () => Value): Value | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

export function encodeRenewal(id: bigint): Uint8Array {
  return etcdserverpb.LeaseKeepAliveRequest.encode(etcdserverpb.LeaseKeepAliveRequest.create({ id }));
}

/** The lease to renew; undefined when it is no such message. */
export function decodeRenewal(body: Uint8Array): bigint | undefined {
  return decoded(() => etcdserverpb.LeaseKeepAliveRequest.decode(body).id);
}

export function encodeRenewed(id: bigint, ttlSeconds: number): Uint8Array {
  const { LeaseKeepAliveResponse } = etcdserverpb;
  return LeaseKeepAliveResponse.encode(LeaseKeepAliveResponse.create({ id, ttl: ttlSeconds }));
}

/** The TTL in seconds. @throws CodedError peer/bad-answer, also when it is another lease's */
export function decodeRenewed(body: Uint8Array, id: bigint): number {
  const answer = decoded(() => etcdserverpb.LeaseKeepAliveResponse.decode(body));
  if (answer === undefined) throw badAnswer('not a renewed lease');
  if (answer.id !== id) throw badAnswer('the answer is for another lease');
  return answer.ttl;
}

export function encodeLeaseQuestion(id: bigint, wantsKeys: boolean): Uint8Array {
  const request = etcdserverpb.LeaseTimeToLiveRequest.create({ id, keys: wantsKeys });
  return leasepb.LeaseInternalRequest.encode(leasepb.LeaseInternalRequest.create({ leaseTimeToLiveRequest: request }));
}

/** The lease asked for; undefined when the message is none or is empty (etcd breaks on that). */
export function decodeLeaseQuestion(
  body: Uint8Array,
): { readonly id: bigint; readonly wantsKeys: boolean } | undefined {
  const request = decoded(() => leasepb.LeaseInternalRequest.decode(body))?.leaseTimeToLiveRequest;
  return request && { id: request.id, wantsKeys: request.keys };
}

/** The inner message must be there: etcd's callers break without it. Its header is there and empty. */
export function encodeLeaseAnswer(id: bigint, lease: PeerLease): Uint8Array {
  const response = etcdserverpb.LeaseTimeToLiveResponse.create({
    header: etcdserverpb.ResponseHeader.create(),
    id,
    ttl: lease.ttlSeconds,
    grantedTtl: lease.grantedTtlSeconds,
    keys: [...lease.keys],
  });
  const { LeaseInternalResponse } = leasepb;
  return LeaseInternalResponse.encode(LeaseInternalResponse.create({ leaseTimeToLiveResponse: response }));
}

/** @throws CodedError peer/bad-answer */
export function decodeLeaseAnswer(body: Uint8Array, id: bigint): PeerLease {
  const response = decoded(() => leasepb.LeaseInternalResponse.decode(body))?.leaseTimeToLiveResponse;
  if (response === undefined) throw badAnswer('no time to live');
  if (response.id !== id) throw badAnswer('the answer is for another lease');
  return { ttlSeconds: response.ttl, grantedTtlSeconds: response.grantedTtl, keys: response.keys };
}
