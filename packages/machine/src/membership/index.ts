export { type Bootstrap, type BootstrapError, type InitialMember, makeBootstrap } from './bootstrap.ts';
export {
  type ChangeOutcome,
  Cluster,
  type ClusterDeps,
  type ClusterOptions,
  ConfChangeKind,
  type DowngradeInfo,
  type MembershipBackend,
  type MembershipChange,
  type MembershipRefusal,
  type MembershipState,
  membershipRefusals,
} from './cluster.ts';
export { type ConfStateJsonError, decodeConfStateJson, encodeConfStateJson } from './conf-state.ts';
export {
  isStarted,
  type Member,
  makeClusterId,
  makeMemberId,
  memberIdFromText,
  memberIdText,
  memberMessage,
  type Sha1,
  sortedUrls,
} from './member.ts';
export {
  decodeMember,
  decodeMembers,
  encodeMember,
  encodePromotion,
  type MemberJsonError,
  memberJson,
  membersJson,
} from './member-json.ts';
export { checkPeerUrls } from './member-urls.ts';
export * from './reconfiguration.ts';
export { encodeV2Attributes, encodeV2Version } from './v2-request.ts';
export { decodeV2Store, encodeV2Store, type V2StoreError } from './v2-store.ts';
export { compareVersions, parseVersion } from './version.ts';
