import { etcdserverpb } from '@quorate/api';
import type { MemberContext } from './member-context.ts';

/** The header of an answer, as of now; `revision` is left out by the services that do not set it. */
export function makeHeader(member: MemberContext, revision: number = member.revision()): etcdserverpb.ResponseHeader {
  return etcdserverpb.createResponseHeader({
    clusterId: member.clusterId,
    memberId: member.memberId,
    revision,
    raftTerm: member.appliedTerm(),
  });
}
