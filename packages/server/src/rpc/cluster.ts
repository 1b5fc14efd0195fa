import { etcdserverpb, services } from '@quorate/api';
import type { GrpcServer, UnaryCall } from '@quorate/transport';
import { decodeRequest, replyMessage } from './answers.ts';
import type { LinearizableReads, MemberContext } from './member-context.ts';
import { refuseCall } from './preconditions.ts';
import { readThen } from './read-then.ts';
import { makeHeader } from './response-header.ts';

/** A member as the list shows it. */
export interface ListedMember {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

const methods = services.Cluster.methods;
/** Membership changes come with the issue of the cluster; until then the methods say so. */
const unserved = [methods.MemberAdd, methods.MemberRemove, methods.MemberUpdate, methods.MemberPromote];

/** Serves etcdserverpb.Cluster. `members` are in ascending id. */
export function registerCluster(
  server: GrpcServer,
  member: MemberContext,
  reads: LinearizableReads,
  members: () => readonly ListedMember[],
): void {
  const answerList = (call: UnaryCall) => {
    const response = etcdserverpb.MemberListResponse.create({
      // The Cluster service leaves the revision out (semantics 1).
      header: makeHeader(member, 0),
      members: members().map((one) =>
        etcdserverpb.Member.create({ ...one, peerUrls: [...one.peerUrls], clientUrls: [...one.clientUrls] }),
      ),
    });
    replyMessage(call, etcdserverpb.MemberListResponse, response);
  };
  server.registerUnary(methods.MemberList.path, (call, bytes) => {
    if (refuseCall(call, member, false)) return;
    const request = decodeRequest(call, etcdserverpb.MemberListRequest, bytes);
    if (request === undefined) return;
    if (request.linearizable) readThen(reads, call, () => answerList(call));
    else answerList(call);
  });
  for (const method of unserved) {
    server.registerUnary(method.path, (call) => call.fail(12, `${method.name} is not served yet`));
  }
}
