import { cursor, etcdserverpb, readTag, skipField } from '@quorate/api';
import { applyOldRequest, readOldRequest } from './old-request.ts';
import type { MembershipMachine } from './types.ts';

/** Fields of InternalRaftRequest about the cluster: its version, a member's attributes, a downgrade, and a test of downgrades. */
const firstField = 1300;
const lastField = 1302;

/**
 * Applies what an entry says about the cluster, in either form, and nothing else of it: for logs whose keys are applied already, and whose
 * membership is not.
 */
export function applyMembershipEntry(data: Uint8Array, membership: MembershipMachine): void {
  const old = readOldRequest(data);
  if (old !== undefined) applyOldRequest(old, membership);
  else if (isAboutMembership(data)) {
    applyMembershipRequest(etcdserverpb.InternalRaftRequest.decode(data), membership);
  }
}

/** Passes a request on to membership. @returns false when it is about something else. */
export function applyMembershipRequest(
  request: etcdserverpb.InternalRaftRequest,
  membership: MembershipMachine,
): boolean {
  if (request.clusterVersionSet !== undefined) membership.setClusterVersion(request.clusterVersionSet.ver);
  else if (request.clusterMemberAttrSet !== undefined) {
    const { memberId, memberAttributes } = request.clusterMemberAttrSet;
    membership.setAttributes(memberId, memberAttributes?.name ?? '', memberAttributes?.clientUrls ?? []);
  } else if (request.downgradeInfoSet !== undefined) {
    membership.setDowngrade(request.downgradeInfoSet.enabled, request.downgradeInfoSet.ver);
  } else if (request.downgradeVersionTest === undefined) return false;
  return true;
}

function isAboutMembership(data: Uint8Array): boolean {
  for (let position = 0; position < data.length; ) {
    const tag = readTag(data, position, data.length);
    const field = tag >>> 3;
    if (field >= firstField && field <= lastField) return true;
    position = skipField(data, cursor.position, data.length, tag);
  }
  return false;
}
