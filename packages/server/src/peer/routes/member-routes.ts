import { CodedError, hasCode } from '@quorate/base';
import { membersJson } from '@quorate/machine';
import type { IncomingPeerRequest, PeerAnswer } from '../peer-edge.ts';
import type { MemberPeerSource } from '../peer-source.ts';
import {
  type Headers,
  internalError,
  jsonAnswer,
  methodNotAllowed,
  plainError,
  reasonOf,
  type WholeAnswer,
} from '../protocol/answers.ts';
import { hashJson, parseHashRequest, versionJson } from '../protocol/documents.ts';
import { idText, PeerHeader } from '../protocol/headers.ts';
import { decodeLeaseQuestion, decodeRenewal, encodeLeaseAnswer, encodeRenewed } from '../protocol/lease-codec.ts';
import type { PeerContext } from '../transport/peer-context.ts';
import { readWhole, withStallLimit } from './body.ts';

/** Of a question about leases or hashes. */
const questionBytesMax = 64 * 1024;

/** What members ask each other beside raft (peer protocol, sections 5 and 13). */
export class MemberRoutes {
  private readonly context: PeerContext;
  private readonly source: MemberPeerSource;

  constructor(context: PeerContext, source: MemberPeerSource) {
    this.context = context;
    this.source = source;
  }

  /** GET /members */
  members(request: IncomingPeerRequest): PeerAnswer {
    if (request.method !== 'GET') return methodNotAllowed('GET');
    return jsonAnswer(`${membersJson(this.source.members())}\n`, this.clusterHeader());
  }

  /** GET /version */
  version(request: IncomingPeerRequest): PeerAnswer {
    if (request.method !== 'GET') return methodNotAllowed('GET');
    const { serverVersion } = this.context.local;
    return jsonAnswer(versionJson(serverVersion, this.source.clusterVersion(), this.source.storageVersion()));
  }

  /** POST /members/promote/ID, the id in decimal */
  async promote(request: IncomingPeerRequest): Promise<PeerAnswer> {
    if (request.method !== 'POST') return methodNotAllowed('POST');
    const headers = this.clusterHeader();
    const idText = request.path.slice('/members/promote/'.length);
    const id = /^\d{1,20}$/.test(idText) ? BigInt(idText) : undefined;
    if (id === undefined || id > 0xffff_ffff_ffff_ffffn)
      return plainError(404, `member ${idText} not found in cluster`, headers);
    const outcome = await this.source.promote(id, request.header('authorization') ?? '');
    switch (outcome.kind) {
      case 'promoted':
        return jsonAnswer(`${membersJson(outcome.members)}\n`, headers);
      case 'not-found':
        return plainError(404, 'membership: ID not found', headers);
      case 'not-ready':
        return plainError(412, 'etcdserver: can only promote a learner member which is in sync with leader', headers);
      case 'not-learner':
        return plainError(412, 'membership: can only promote a learner member', headers);
      case 'timeout':
      case 'retry':
        return internalError(headers);
      default:
        return outcome satisfies never;
    }
  }

  /** GET /members/hashkv, with a body */
  async hash(request: IncomingPeerRequest): Promise<PeerAnswer> {
    if (request.method !== 'GET') return methodNotAllowed('GET');
    const asked = request.header('x-etcd-cluster-id');
    if (asked !== undefined && asked !== '' && asked !== idText(this.context.local.clusterId))
      return plainError(412, 'cluster ID mismatch');
    const body = await this.question(request);
    if (!(body instanceof Uint8Array)) return body;
    const revision = parseHashRequest(body);
    if (revision === undefined) return plainError(400, 'error unmarshalling request');
    try {
      return jsonAnswer(hashJson(await this.source.hashKeys(revision)), this.clusterHeader());
    } catch (error) {
      if (error instanceof CodedError) return plainError(400, error.message);
      throw error;
    }
  }

  /** GET /downgrade/enabled */
  async isDowngradeEnabled(request: IncomingPeerRequest): Promise<PeerAnswer> {
    if (request.method !== 'GET') return methodNotAllowed('GET');
    const headers = this.clusterHeader();
    try {
      const isEnabled = await this.source.isDowngradeEnabled();
      return {
        kind: 'whole',
        status: 200,
        headers: { ...headers, 'Content-Type': 'text/plain' },
        body: `${isEnabled}`,
      };
    } catch (error) {
      return plainError(500, `failed linearized read: ${reasonOf(error)}`, headers);
    }
  }

  /** POST /leases */
  async renewLease(request: IncomingPeerRequest): Promise<PeerAnswer> {
    if (request.method !== 'POST') return methodNotAllowed();
    const body = await this.question(request);
    if (!(body instanceof Uint8Array)) return body;
    const id = decodeRenewal(body);
    if (id === undefined) return plainError(400, 'error unmarshalling request');
    try {
      return protobufAnswer(encodeRenewed(id, await this.source.renewLease(id)));
    } catch (error) {
      return leaseRefusal(error, 400);
    }
  }

  /** POST /leases/internal */
  async leaseTimeToLive(request: IncomingPeerRequest): Promise<PeerAnswer> {
    if (request.method !== 'POST') return methodNotAllowed();
    const body = await this.question(request);
    if (!(body instanceof Uint8Array)) return body;
    const question = decodeLeaseQuestion(body);
    if (question === undefined) return plainError(400, 'error unmarshalling request');
    const { id, wantsKeys } = question;
    try {
      return protobufAnswer(encodeLeaseAnswer(id, await this.source.leaseTimeToLive(id, wantsKeys)));
    } catch (error) {
      return leaseRefusal(error, 500);
    }
  }

  private async question(request: IncomingPeerRequest): Promise<Uint8Array | PeerAnswer> {
    const { clock, limits } = this.context;
    try {
      return await readWhole(withStallLimit(clock, request.body, limits.stallMs), questionBytesMax);
    } catch (error) {
      const refusal = hasCode(error, 'peer/too-large')
        ? plainError(413, 'request body too large')
        : plainError(400, 'error reading body');
      return { ...refusal, isLast: true };
    }
  }

  private clusterHeader(): Headers {
    return { [PeerHeader.clusterId]: idText(this.context.local.clusterId) };
  }
}

function protobufAnswer(body: Uint8Array): PeerAnswer {
  return { kind: 'whole', status: 200, headers: { 'Content-Type': 'application/protobuf' }, body };
}

/** @param otherwise status for all that is neither unknown nor late: etcd has one for each path */
function leaseRefusal(error: unknown, otherwise: number): WholeAnswer {
  if (hasCode(error, 'peer/not-found')) return plainError(404, 'lease not found');
  if (hasCode(error, 'peer/lagging'))
    return plainError(408, 'waiting for node to catch up its applied index has timed out');
  if (hasCode(error, 'peer/not-primary')) return plainError(otherwise, 'not a primary lessor');
  throw error;
}
