import {
  assert,
  type Logger,
  latin1FromBytes,
  latin1ToBytes,
  silentLogger,
  utf8FromBytes,
  utf8ToBytes,
} from '@quorate/base';
import { type Backend, BucketId } from '@quorate/storage';
import { jsonField, jsonString, parseJson } from './json.ts';
import { compareIds, type Member, memberIdFromText, memberIdText } from './member.ts';
import { decodeMember, decodeMemberContext, encodeMember } from './member-json.ts';

export type MembershipBackend = Pick<Backend, 'put' | 'delete' | 'get' | 'range'>;

export interface ClusterDeps {
  readonly backend: MembershipBackend;
  readonly logger?: Logger;
}

export interface ClusterOptions {
  /** Learners allowed at once; equal on all members of a cluster. */
  readonly learnersMax?: number;
}

/** Types of a raft ConfChange. */
export const ConfChangeKind = { addNode: 0, removeNode: 1, updateNode: 2, addLearnerNode: 3 } as const;

/** What a committed ConfChange says: the type, the member, and in the context its JSON (empty for a removal). */
export interface MembershipChange {
  readonly type: number;
  readonly nodeId: bigint;
  readonly context: Uint8Array;
}

/** Why a change is refused, and its text as peers show it. */
export const membershipRefusals = {
  'membership/id-removed': 'membership: ID removed',
  'membership/id-exists': 'membership: ID exists',
  'membership/id-not-found': 'membership: ID not found',
  'membership/peer-url-exists': 'membership: peerURL exists',
  'membership/not-learner': 'membership: can only promote a learner member',
  'membership/too-many-learners': 'membership: too many learner members in cluster',
} as const;
export type MembershipRefusal = keyof typeof membershipRefusals;

/** What a change came to. A refused one leaves the configuration as it is; raft is told node 0 for it. */
export type ChangeOutcome =
  | { readonly kind: 'added' | 'promoted' | 'updated'; readonly member: Member }
  /** With the member as it was. */
  | { readonly kind: 'removed'; readonly member: Member }
  | { readonly kind: 'refused'; readonly code: MembershipRefusal };

export interface DowngradeInfo {
  readonly isEnabled: boolean;
  /** As `3.5.0`; empty when none. */
  readonly targetVersion: string;
}

/** The membership as a whole: what the v2 store of a snapshot file says, too. */
export interface MembershipState {
  readonly members: readonly Member[];
  readonly removedIds: readonly bigint[];
  readonly version: string | undefined;
}

const removedMark = 'removed';
const versionKey = 'clusterVersion';
const downgradeKey = 'downgrade';
const noDowngrade: DowngradeInfo = { isEnabled: false, targetVersion: '' };

/** Who is in the cluster, as the log has it, kept in buckets `members`, `members_removed` and `cluster`. */
export class Cluster {
  private backend: MembershipBackend;
  private readonly logger: Logger;
  private readonly learnersMax: number;
  private readonly byId = new Map<bigint, Member>();
  private readonly removed = new Set<bigint>();
  private clusterVersion: string | undefined = undefined;
  private downgradeInfo: DowngradeInfo = noDowngrade;
  private sorted: readonly Member[] | undefined = undefined;

  constructor(deps: ClusterDeps, options: ClusterOptions = {}) {
    this.backend = deps.backend;
    this.logger = deps.logger ?? silentLogger;
    this.learnersMax = options.learnersMax ?? 1;
    this.load();
  }

  /** Starts over with what another backend holds (a leader's snapshot). */
  restore(backend: MembershipBackend): void {
    this.backend = backend;
    this.load();
  }

  /** Takes over what a v2 store says, and writes it to the backend: data of etcd 3.4 and 3.5 has its truth there. */
  replaceWith(state: MembershipState): void {
    for (const id of this.byId.keys()) this.backend.delete(BucketId.members, idKey(id));
    for (const id of this.removed) this.backend.delete(BucketId.membersRemoved, idKey(id));
    this.byId.clear();
    this.removed.clear();
    for (const member of state.members) this.set(member);
    for (const id of state.removedIds) this.markRemoved(id);
    if (state.version !== undefined) this.setClusterVersion(state.version);
    this.sorted = undefined;
  }

  /** All members, learners too, ascending by id. */
  get members(): readonly Member[] {
    this.sorted ??= [...this.byId.values()].sort((a, b) => compareIds(a.id, b.id));
    return this.sorted;
  }

  get voters(): readonly Member[] {
    return this.members.filter((member) => !member.isLearner);
  }

  member(id: bigint): Member | undefined {
    return this.byId.get(id);
  }

  /** Removed ids can never return. */
  isRemoved(id: bigint): boolean {
    return this.removed.has(id);
  }

  get removedIds(): readonly bigint[] {
    return [...this.removed].sort(compareIds);
  }

  /** As `3.6.0`; undefined before the first leader has decided it. */
  get version(): string | undefined {
    return this.clusterVersion;
  }

  get downgrade(): DowngradeInfo {
    return this.downgradeInfo;
  }

  get state(): MembershipState {
    return { members: this.members, removedIds: this.removedIds, version: this.clusterVersion };
  }

  /** Why the change would be refused now; undefined when it would not. */
  check(change: MembershipChange): MembershipRefusal | undefined {
    const { type, nodeId } = change;
    if (this.removed.has(nodeId)) return 'membership/id-removed';
    const present = this.byId.get(nodeId);
    switch (type) {
      case ConfChangeKind.addNode:
      case ConfChangeKind.addLearnerNode:
        return this.checkAdd(change, present);
      case ConfChangeKind.removeNode:
        return present === undefined ? 'membership/id-not-found' : undefined;
      case ConfChangeKind.updateNode:
        if (present === undefined) return 'membership/id-not-found';
        return this.isUrlTaken(contextOf(change).member) ? 'membership/peer-url-exists' : undefined;
      default:
        assert(false, `conf change of unknown type ${type}`);
        return undefined;
    }
  }

  /** Applies a committed change. What is refused is refused alike on every member. */
  apply(change: MembershipChange): ChangeOutcome {
    const code = this.check(change);
    if (code !== undefined) return { kind: 'refused', code };
    const present = this.byId.get(change.nodeId);
    if (change.type === ConfChangeKind.removeNode) {
      this.byId.delete(change.nodeId);
      this.sorted = undefined;
      this.backend.delete(BucketId.members, idKey(change.nodeId));
      this.markRemoved(change.nodeId);
      return { kind: 'removed', member: present as Member };
    }
    const { member, isPromotion } = contextOf(change);
    if (change.type === ConfChangeKind.updateNode) {
      // Only the peer URLs: a learner stays one.
      return { kind: 'updated', member: this.set({ ...(present as Member), peerUrls: member.peerUrls }) };
    }
    if (isPromotion) return { kind: 'promoted', member: this.set({ ...(present as Member), isLearner: false }) };
    return { kind: 'added', member: this.set(member) };
  }

  /** A member has told its name and client URLs. Those of a removed member are passed over. */
  setAttributes(id: bigint, name: string, clientUrls: readonly string[]): void {
    const member = this.byId.get(id);
    if (member === undefined) {
      assert(this.removed.has(id), `attributes of member ${memberIdText(id)}, which never was`);
      this.logger.warn('skipped attributes update of removed member', { 'updated-peer-id': memberIdText(id) });
      return;
    }
    this.set({ ...member, name, clientUrls: [...clientUrls] });
  }

  /** @param version as `3.6.0`. */
  setClusterVersion(version: string): void {
    this.clusterVersion = version;
    this.backend.put(BucketId.cluster, latin1ToBytes(versionKey), utf8ToBytes(version));
  }

  /** Enables a downgrade to that version, or ends it. */
  setDowngrade(isEnabled: boolean, version: string): void {
    const targetVersion = isEnabled ? version : '';
    this.downgradeInfo = { isEnabled, targetVersion };
    const text = `{"target-version":${jsonString(targetVersion)},"enabled":${isEnabled}}`;
    this.backend.put(BucketId.cluster, latin1ToBytes(downgradeKey), utf8ToBytes(text));
  }

  private checkAdd(change: MembershipChange, present: Member | undefined): MembershipRefusal | undefined {
    const { member, isPromotion } = contextOf(change);
    if (isPromotion) {
      if (present === undefined) return 'membership/id-not-found';
      return present.isLearner ? undefined : 'membership/not-learner';
    }
    if (present !== undefined) return 'membership/id-exists';
    if (this.isUrlTaken(member)) return 'membership/peer-url-exists';
    if (!member.isLearner) return undefined;
    const learners = this.members.length - this.voters.length;
    return learners >= this.learnersMax ? 'membership/too-many-learners' : undefined;
  }

  /** Whether another member has one of its peer URLs. */
  private isUrlTaken(member: Member): boolean {
    for (const other of this.byId.values()) {
      if (other.id !== member.id && other.peerUrls.some((url) => member.peerUrls.includes(url))) return true;
    }
    return false;
  }

  private set(member: Member): Member {
    this.byId.set(member.id, member);
    this.sorted = undefined;
    this.backend.put(BucketId.members, idKey(member.id), encodeMember(member));
    return member;
  }

  private markRemoved(id: bigint): void {
    this.removed.add(id);
    this.backend.put(BucketId.membersRemoved, idKey(id), latin1ToBytes(removedMark));
  }

  private load(): void {
    this.byId.clear();
    this.removed.clear();
    this.sorted = undefined;
    this.forEachPair(BucketId.members, (id, value) => {
      const member = decodeMember(value);
      assert(member.id === id, `member ${memberIdText(id)} is stored under its own id`);
      this.byId.set(id, member);
    });
    this.forEachPair(BucketId.membersRemoved, (id) => this.removed.add(id));
    const version = this.backend.get(BucketId.cluster, latin1ToBytes(versionKey));
    this.clusterVersion = version === undefined ? undefined : utf8FromBytes(version);
    const downgrade = this.backend.get(BucketId.cluster, latin1ToBytes(downgradeKey));
    this.downgradeInfo = downgrade === undefined ? noDowngrade : downgradeFrom(utf8FromBytes(downgrade));
  }

  private forEachPair(
    bucket: typeof BucketId.members | typeof BucketId.membersRemoved,
    visit: (id: bigint, value: Uint8Array) => void,
  ): void {
    this.backend.range(bucket, new Uint8Array(1), undefined, Number.MAX_SAFE_INTEGER, (key, value) => {
      const id = memberIdFromText(latin1FromBytes(key));
      assert(id !== undefined, `bucket key ${latin1FromBytes(key)} is a member id`);
      visit(id, value);
      return true;
    });
  }
}

function idKey(id: bigint): Uint8Array {
  return latin1ToBytes(memberIdText(id));
}

function contextOf(change: MembershipChange): { readonly member: Member; readonly isPromotion: boolean } {
  const context = decodeMemberContext(change.context);
  assert(context.member.id === change.nodeId, 'the context of a conf change is about its node');
  return context;
}

function downgradeFrom(text: string): DowngradeInfo {
  const value = parseJson(text);
  if (!(value instanceof Map)) return noDowngrade;
  const targetVersion = jsonField(value, 'target-version');
  const isEnabled = jsonField(value, 'enabled') === true;
  return isEnabled && typeof targetVersion === 'string' ? { isEnabled, targetVersion } : noDowngrade;
}
