import { etcdserverpb, services } from '@quorate/api';
import { checkPeerUrls, type Member, memberMessage } from '@quorate/machine';
import type { GrpcServer, UnaryCall } from '@quorate/transport';
import type { MembershipAnswer, MembershipChanges } from '../member/membership-changes.ts';
import { tokenOf } from './access.ts';
import { decodeRequest, failCall, replyMessage } from './answers.ts';
import type { LinearizableReads, MemberContext } from './member-context.ts';
import { refuseCall } from './preconditions.ts';
import { readThen } from './read-then.ts';
import { makeHeader } from './response-header.ts';

/** What the cluster service needs beyond the member itself. */
export interface ClusterSource {
  readonly reads: LinearizableReads;
  readonly changes: MembershipChanges;
  /** Ascending by id. */
  members(): readonly Member[];
}

const methods = services.Cluster.methods;

/** Serves etcdserverpb.Cluster. */
export function registerCluster(server: GrpcServer, member: MemberContext, source: ClusterSource): void {
  server.registerUnary(methods.MemberList.path, (call, bytes) => serveList(call, bytes, member, source));
  server.registerUnary(methods.MemberAdd.path, (call, bytes) => {
    const request = admitted(call, bytes, member, etcdserverpb.MemberAddRequest);
    if (request === undefined) return;
    // URLs are judged before who sent them, as in etcd.
    if (checkPeerUrls(request.peerUrls) === undefined) failCall(call, 'ErrGRPCMemberBadURLs');
    else member.access.asAdmin(call, () => answerAdd(call, request, member, source));
  });
  server.registerUnary(methods.MemberRemove.path, (call, bytes) => {
    const request = admitted(call, bytes, member, etcdserverpb.MemberRemoveRequest);
    if (request === undefined) return;
    member.access.asAdmin(call, () => {
      answerWith(call, source.changes.remove(request.id, onCancel(call)), (answer) => {
        const response = etcdserverpb.MemberRemoveResponse.create(common(member, answer));
        replyMessage(call, etcdserverpb.MemberRemoveResponse, response);
      });
    });
  });
  server.registerUnary(methods.MemberUpdate.path, (call, bytes) => {
    const request = admitted(call, bytes, member, etcdserverpb.MemberUpdateRequest);
    if (request === undefined) return;
    member.access.asAdmin(call, () => {
      answerWith(call, source.changes.update(request.id, request.peerUrls, onCancel(call)), (answer) => {
        const response = etcdserverpb.MemberUpdateResponse.create(common(member, answer));
        replyMessage(call, etcdserverpb.MemberUpdateResponse, response);
      });
    });
  });
  server.registerUnary(methods.MemberPromote.path, (call, bytes) => {
    const request = admitted(call, bytes, member, etcdserverpb.MemberPromoteRequest);
    if (request === undefined) return;
    // The leader asks again: it may be another member.
    member.access.asAdmin(call, () => {
      answerWith(call, source.changes.promote(request.id, tokenOf(call) ?? '', onCancel(call)), (answer) => {
        const response = etcdserverpb.MemberPromoteResponse.create(common(member, answer));
        replyMessage(call, etcdserverpb.MemberPromoteResponse, response);
      });
    });
  });
}

function answerAdd(
  call: UnaryCall,
  { peerUrls, isLearner }: etcdserverpb.MemberAddRequest,
  member: MemberContext,
  source: ClusterSource,
): void {
  answerWith(call, source.changes.add(peerUrls, isLearner, onCancel(call)), (answer) => {
    const added = answer.members.find((one) => one.id === answer.id);
    const response = { ...common(member, answer), member: added === undefined ? undefined : memberMessage(added) };
    replyMessage(call, etcdserverpb.MemberAddResponse, etcdserverpb.MemberAddResponse.create(response));
  });
}

type Changed = Extract<MembershipAnswer, { kind: 'changed' }>;

/** The Cluster service leaves the revision out of the header (semantics 1). */
function common(member: MemberContext, answer: Changed) {
  return { header: makeHeader(member, 0), members: answer.members.map(memberMessage) };
}

function admitted<M>(
  call: UnaryCall,
  bytes: Uint8Array,
  member: MemberContext,
  codec: Parameters<typeof decodeRequest<M>>[1],
): M | undefined {
  return refuseCall(call, member, false) ? undefined : decodeRequest(call, codec, bytes);
}

function onCancel(call: UnaryCall): (forget: () => void) => void {
  return (forget) => call.onCancel(forget);
}

function answerWith(call: UnaryCall, change: Promise<MembershipAnswer>, reply: (answer: Changed) => void): void {
  change.then(
    (answer) => (answer.kind === 'changed' ? reply(answer) : failCall(call, answer.symbol)),
    (error: unknown) => call.fail(2, error instanceof Error ? error.message : String(error)),
  );
}

function serveList(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: ClusterSource): void {
  const request = admitted(call, bytes, member, etcdserverpb.MemberListRequest);
  if (request === undefined) return;
  const answer = () => {
    member.access.asUser(call, () => {
      const response = etcdserverpb.MemberListResponse.create({
        header: makeHeader(member, 0),
        members: source.members().map(memberMessage),
      });
      replyMessage(call, etcdserverpb.MemberListResponse, response);
    });
  };
  if (request.linearizable) readThen(source.reads, call, answer);
  else answer();
}
