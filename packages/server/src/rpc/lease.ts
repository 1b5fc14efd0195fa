import { type ErrorSymbol, etcdserverpb, services } from '@quorate/api';
import { nextUint64, type Random } from '@quorate/base';
import {
  type ApplyResult,
  type Identity,
  type LeaseExpiry,
  type Lessor,
  leaseCost,
  type Quota,
} from '@quorate/machine';
import type { GrpcServer, UnaryCall } from '@quorate/transport';
import type { LeaderLeases } from '../member/leader-leases.ts';
import type { Recheck } from './access.ts';
import { decodeRequest, failCall, replyMessage } from './answers.ts';
import { KeepAliveStream } from './keep-alive.ts';
import type { MemberContext } from './member-context.ts';
import { refuseCall, refuseStream } from './preconditions.ts';
import { CallOutcome, RequestField } from './proposals.ts';
import { grantAttributes, leaseAttributes } from './request-spans.ts';
import { makeHeader } from './response-header.ts';

/** What the lease service needs beyond the member itself. */
export interface LeaseSource {
  readonly lessor: Lessor;
  readonly expiry: LeaseExpiry;
  readonly leaderLeases: LeaderLeases;
  readonly quota: Quota;
  readonly random: Random;
  /** See KeyValueSource. */
  refuseForSpace(call: UnaryCall): void;
}

const methods = services.Lease.methods;

/** Serves etcdserverpb.Lease. Renewals and remaining times are the leader's to tell. */
export function registerLease(server: GrpcServer, member: MemberContext, source: LeaseSource): void {
  server.registerUnary(methods.LeaseGrant.path, (call, bytes) => serveGrant(call, bytes, member, source));
  server.registerUnary(methods.LeaseRevoke.path, (call, bytes) => {
    if (refuseCall(call, member, false)) return;
    const request = decodeRequest(call, etcdserverpb.LeaseRevokeRequest, bytes);
    if (request === undefined) return;
    const { access, spans } = member;
    spans?.begin(call, 'lease_revoke', request.id, leaseAttributes);
    access.propose(call, RequestField.leaseRevoke, bytes, new RevokeOutcome(call, member), access.checkUser);
  });
  server.registerUnary(methods.LeaseTimeToLive.path, (call, bytes) => serveTimeToLive(call, bytes, member, source));
  server.registerUnary(methods.LeaseLeases.path, (call) => {
    if (!refuseCall(call, member, false)) serveLeases(call, member, source);
  });
  server.registerStream(methods.LeaseKeepAlive.path, (call) => {
    if (!refuseStream(call, member)) new KeepAliveStream(call, member, source.leaderLeases);
  });
}

/** A free id that the server picks: positive, not 0. */
function pickId(source: LeaseSource): bigint {
  for (;;) {
    const id = nextUint64(source.random) & 0x7fff_ffff_ffff_ffffn;
    if (id !== 0n && !source.lessor.has(id)) return id;
  }
}

function serveGrant(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: LeaseSource): void {
  if (refuseCall(call, member, false)) return;
  const request = decodeRequest(call, etcdserverpb.LeaseGrantRequest, bytes);
  if (request === undefined) return;
  if (!source.quota.allows(leaseCost)) {
    source.refuseForSpace(call);
    return;
  }
  // The id is random, so it is drawn before the entry is proposed and travels in it.
  const id = request.id === 0n ? pickId(source) : request.id;
  const proposal = request.id === 0n ? etcdserverpb.LeaseGrantRequest.encode({ ...request, id }) : bytes;
  const { access, spans } = member;
  spans?.begin(call, 'lease_grant', { id, ttl: request.ttl }, grantAttributes);
  access.propose(call, RequestField.leaseGrant, proposal, new GrantOutcome(call, member), access.checkUser);
}

class GrantOutcome extends CallOutcome<UnaryCall, MemberContext> {
  protected answer(result: ApplyResult): void {
    if (result.kind !== 'lease-grant') return;
    const header = makeHeader(this.context, result.revision);
    const response = etcdserverpb.LeaseGrantResponse.create({ header, id: result.id, ttl: result.ttlSeconds });
    replyMessage(this.call, etcdserverpb.LeaseGrantResponse, response);
  }
}

class RevokeOutcome extends CallOutcome<UnaryCall, MemberContext> {
  protected answer(result: ApplyResult): void {
    if (result.kind !== 'lease-revoke') return;
    const response = etcdserverpb.LeaseRevokeResponse.create({ header: makeHeader(this.context, result.revision) });
    replyMessage(this.call, etcdserverpb.LeaseRevokeResponse, response);
  }
}

/** A list of leases says which keys there are, so who asks must be allowed to read them. */
function serveLeases(call: UnaryCall, member: MemberContext, source: LeaseSource): void {
  const { access } = member;
  const ids = source.expiry.list();
  const check = (identity: Identity) =>
    access.checkUser(identity) ?? access.permissions.checkKeysOfLeases(identity, ids);
  access.admit(call, check, () => {
    const leases = ids.map((id) => etcdserverpb.LeaseStatus.create({ id }));
    const response = etcdserverpb.LeaseLeasesResponse.create({ header: makeHeader(member), leases });
    replyMessage(call, etcdserverpb.LeaseLeasesResponse, response);
  });
}

function serveTimeToLive(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: LeaseSource): void {
  if (refuseCall(call, member, false)) return;
  const request = decodeRequest(call, etcdserverpb.LeaseTimeToLiveRequest, bytes);
  if (request === undefined) return;
  const { access } = member;
  const { id, keys: wantsKeys } = request;
  const check = (identity: Identity) =>
    access.checkUser(identity) ?? (wantsKeys ? access.permissions.checkLeaseKeys(identity, id, 'read') : undefined);
  access.admit(call, check, (recheck) => {
    answerTimeToLive(call, id, wantsKeys, member, source, wantsKeys ? recheck : undefined);
  });
}

function answerTimeToLive(
  call: UnaryCall,
  id: bigint,
  wantsKeys: boolean,
  member: MemberContext,
  source: LeaseSource,
  recheck?: Recheck,
): void {
  source.leaderLeases.timeToLive(id, wantsKeys).then(
    (answer) => {
      const refused = answer.kind === 'failed' ? answer.symbol : recheck?.();
      if (answer.kind === 'failed' || refused !== undefined) {
        failCall(call, refused as ErrorSymbol);
        return;
      }
      const response = etcdserverpb.LeaseTimeToLiveResponse.create({ header: makeHeader(member), id, ttl: -1 });
      if (answer.kind === 'found') {
        response.ttl = answer.lease.ttlSeconds;
        response.grantedTtl = answer.lease.grantedTtlSeconds;
        response.keys = [...answer.lease.keys];
      }
      replyMessage(call, etcdserverpb.LeaseTimeToLiveResponse, response);
    },
    (error: unknown) => call.fail(2, error instanceof Error ? error.message : String(error)),
  );
}
