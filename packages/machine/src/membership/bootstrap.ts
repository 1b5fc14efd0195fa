import { CodedError } from '@quorate/base';
import { compareIds, type Member, makeClusterId, makeMemberId, type Sha1, sortedUrls } from './member.ts';
import { encodeMember } from './member-json.ts';

export interface InitialMember {
  readonly name: string;
  readonly peerUrls: readonly string[];
}

export interface Bootstrap {
  readonly clusterId: bigint;
  /** Ascending by id. */
  readonly members: readonly Member[];
  /**
   * What the log of a new cluster begins with, the same on each member: one AddNode a member, by ascending id, at index 1 and up,
   * term 1.
   */
  readonly changes: readonly { readonly nodeId: bigint; readonly context: Uint8Array }[];
}

export type BootstrapError = CodedError<'membership/duplicate-id' | 'membership/zero-id'>;

/**
 * The members of a new cluster (`initial-cluster`).
 * @throws {BootstrapError}
 */
export function makeBootstrap(sha1: Sha1, initialMembers: readonly InitialMember[], token: string): Bootstrap {
  const members = initialMembers
    .map(({ name, peerUrls }): Member => {
      const urls = sortedUrls(peerUrls);
      return { id: makeMemberId(sha1, urls, token), name, peerUrls: urls, clientUrls: [], isLearner: false };
    })
    .sort((a, b) => compareIds(a.id, b.id));
  members.forEach((member, i) => {
    if (member.id === 0n) throw new CodedError('membership/zero-id', 'cannot use 0 as member id');
    if (member.id === members[i - 1]?.id)
      throw new CodedError('membership/duplicate-id', 'member exists with identical ID');
  });
  return {
    clusterId: makeClusterId(
      sha1,
      members.map((member) => member.id),
    ),
    members,
    changes: members.map((member) => ({ nodeId: member.id, context: encodeMember(member) })),
  };
}
