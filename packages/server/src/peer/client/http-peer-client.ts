import { type Clock, CodedError, hasCode, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { decodeMembers } from '@quorate/machine';
import type { PeerClient, PeerHash, PeerLease, PeerLeaseAnswer, PeerPromotion, PeerVersion } from '../peer-client.ts';
import type { PeerDialer, PeerReply, PeerRequest } from '../peer-edge.ts';
import { errorText } from '../protocol/answers.ts';
import { badAnswer, hashRequestJson, parseHashJson, parseVersionJson } from '../protocol/documents.ts';
import { idFromText, idText, PeerHeader } from '../protocol/headers.ts';
import { decodeLeaseAnswer, decodeRenewed, encodeLeaseQuestion, encodeRenewal } from '../protocol/lease-codec.ts';

export interface PeerClientDeps {
  readonly clock: Clock;
  readonly dialer: PeerDialer;
}

const protobuf = { 'Content-Type': 'application/protobuf' };

const notReadyText = 'etcdserver: can only promote a learner member which is in sync with leader';
const notLearnerText = 'membership: can only promote a learner member';
const leaseNotFoundText = 'lease not found';

/** Asks over HTTP what peer protocol sections 5 and 13 offer. */
export function makePeerClient(deps: PeerClientDeps): PeerClient {
  return new HttpPeerClient(deps);
}

class HttpPeerClient implements PeerClient {
  private readonly deps: PeerClientDeps;

  constructor(deps: PeerClientDeps) {
    this.deps = deps;
  }

  async members(url: string, timeoutMs: number): ReturnType<PeerClient['members']> {
    const reply = okReply(await this.ask(get(url, '/members'), timeoutMs));
    const clusterId = idFromText(reply.header('x-etcd-cluster-id') ?? '');
    if (clusterId === undefined) throw badAnswer('members without the id of their cluster');
    try {
      return { clusterId, members: decodeMembers(reply.body) };
    } catch (cause) {
      throw hasCode(cause, 'membership/bad-json') ? badAnswer((cause as Error).message, cause) : cause;
    }
  }

  async version(url: string, timeoutMs: number): Promise<PeerVersion> {
    return parseVersionJson(okReply(await this.ask(get(url, '/version'), timeoutMs)).body);
  }

  async isDowngradeEnabled(url: string, timeoutMs: number): Promise<boolean> {
    const reply = await this.ask(get(url, '/downgrade/enabled'), timeoutMs);
    if (reply.status === 404) return false;
    const text = utf8FromBytes(okReply(reply).body).trim();
    if (text !== 'true' && text !== 'false') throw badAnswer('neither true nor false');
    return text === 'true';
  }

  async promote(url: string, id: bigint, authorization: string, timeoutMs: number): Promise<PeerPromotion> {
    const headers = authorization === '' ? {} : { Authorization: authorization };
    const request = post(url, `/members/promote/${id}`, headers, new Uint8Array(0));
    const reply = await this.ask(request, timeoutMs);
    const text = errorText(reply.body);
    switch (reply.status) {
      case 200:
        try {
          return { kind: 'promoted', members: decodeMembers(reply.body) };
        } catch (cause) {
          throw badAnswer('a promotion without members', cause);
        }
      case 404:
        return { kind: 'not-found' };
      case 408:
        return { kind: 'timeout' };
      case 412:
        if (text.includes(notReadyText)) return { kind: 'not-ready' };
        if (text.includes(notLearnerText)) return { kind: 'not-learner' };
        return { kind: 'retry', reason: text };
      default:
        return { kind: 'retry', reason: text };
    }
  }

  async hashKeys(url: string, revision: number, clusterId: bigint, timeoutMs: number): Promise<PeerHash> {
    const headers = { 'Content-Type': 'application/json', [PeerHeader.clusterId]: idText(clusterId) };
    const body = utf8ToBytes(hashRequestJson(revision));
    const request: PeerRequest = { method: 'GET', url, path: '/members/hashkv', headers, body };
    const reply = await this.ask(request, timeoutMs);
    if (reply.status === 200) return parseHashJson(reply.body);
    throw new CodedError('peer/refused', errorText(reply.body), { data: { status: reply.status } });
  }

  async renewLease(url: string, id: bigint, timeoutMs: number): Promise<PeerLeaseAnswer<number>> {
    const reply = await this.ask(post(url, '/leases', protobuf, encodeRenewal(id)), timeoutMs);
    return leaseAnswer(reply, () => decodeRenewed(reply.body, id));
  }

  async leaseTimeToLive(
    url: string,
    id: bigint,
    wantsKeys: boolean,
    timeoutMs: number,
  ): Promise<PeerLeaseAnswer<PeerLease>> {
    const request = post(url, '/leases/internal', protobuf, encodeLeaseQuestion(id, wantsKeys));
    const reply = await this.ask(request, timeoutMs);
    return leaseAnswer(reply, () => decodeLeaseAnswer(reply.body, id));
  }

  private async ask(request: PeerRequest, timeoutMs: number): Promise<PeerReply> {
    const exchange = this.deps.dialer.request(request);
    const timer = this.deps.clock.setTimer(timeoutMs, () => exchange.cancel());
    try {
      return await exchange.reply;
    } finally {
      timer.cancel();
    }
  }
}

function get(url: string, path: string): PeerRequest {
  return { method: 'GET', url, path, headers: {} };
}

function post(url: string, path: string, headers: PeerRequest['headers'], body: Uint8Array): PeerRequest {
  return { method: 'POST', url, path, headers, body };
}

function okReply(reply: PeerReply): PeerReply {
  if (reply.status !== 200) throw badAnswer(`status ${reply.status}: ${errorText(reply.body)}`);
  return reply;
}

function leaseAnswer<Found>(reply: PeerReply, found: () => Found): PeerLeaseAnswer<Found> {
  if (reply.status === 200) return { kind: 'found', lease: found() };
  const text = errorText(reply.body);
  // A 404 of something else, of an older or foreign server, says nothing of the lease.
  if (reply.status === 404 && text === leaseNotFoundText) return { kind: 'not-found' };
  return { kind: 'retry', reason: `status ${reply.status}: ${text}` };
}
