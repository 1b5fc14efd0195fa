import type { Call } from '@quorate/transport';
import { failCall } from './answers.ts';
import type { MemberContext } from './member-context.ts';

/**
 * The checks that come before every service (semantics 2): a learner serves little, and a client that asked for a leader gets
 * an answer only where one is known.
 * @returns true when the call has been refused.
 */
export function refuseCall(call: Call, member: MemberContext, servedByLearner: boolean): boolean {
  if (!servedByLearner && member.isLearner()) {
    failCall(call, 'ErrGRPCNotSupportedForLearner');
    return true;
  }
  if (member.leader() === 0n && needsLeader(call)) {
    failCall(call, 'ErrGRPCNoLeader');
    return true;
  }
  return false;
}

/** The same for a stream that a learner does not serve and that ends only when the client, or the stop, ends it. */
export function refuseStream(call: Call, member: MemberContext): boolean {
  if (member.streams.isClosed) {
    failCall(call, 'ErrGRPCStopped');
    return true;
  }
  return refuseCall(call, member, false);
}

/** Whether the client asked to be served only by a member that knows its leader. */
export function needsLeader(call: Call): boolean {
  return call.metadata.get('hasleader') === 'true';
}
