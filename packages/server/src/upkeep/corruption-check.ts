import type { ErrorSymbol } from '@quorate/api';
import { CodedError, type Logger } from '@quorate/base';
import { type CompactionHash, type KeyHashResult, memberIdText } from '@quorate/machine';
import { formatDuration } from '../config/duration.ts';
import type { PeerHash } from '../peer/peer-client.ts';
import type { PeerHashAnswer } from './peer-hashes.ts';

export interface CorruptionCheckDeps {
  readonly logger: Logger;
  readonly memberId: bigint;
  /** Of this member's keys; 0 for the current revision. */
  readonly hash: (revision: number) => Promise<KeyHashResult | ErrorSymbol>;
  /** What its compactions stored, newest first. */
  readonly compactionHashes: () => readonly CompactionHash[];
  readonly askPeers: (revision: number) => Promise<readonly PeerHashAnswer[]>;
  /** Resolves once all that the cluster has committed is applied here. */
  readonly catchUp: () => Promise<void>;
  /** Raises the CORRUPT alarm of a member; 0: nobody knows whose it is. */
  readonly raise: (memberId: bigint) => void;
  readonly requestTimeoutMs: number;
}

/** Holds what this member has stored against what the others have. */
export class CorruptionCheck {
  private readonly deps: CorruptionCheckDeps;
  private readonly ownId: string;
  /** All members had the same at the compaction there. */
  private checkedRevision = 0;

  constructor(deps: CorruptionCheckDeps) {
    this.deps = deps;
    this.ownId = memberIdText(deps.memberId);
  }

  /** Before the member serves anybody. @throws CodedError `member/inconsistent` */
  async initially(): Promise<void> {
    const { logger, requestTimeoutMs, askPeers } = this.deps;
    const local = { 'local-member-id': this.ownId };
    logger.info('starting initial corruption check', { ...local, timeout: formatDuration(requestTimeoutMs) });
    const own = await this.ownHash();
    let hasMismatch = false;
    for (const peer of await askPeers(own.hashRevision)) {
      const what = this.compareInitially(own, peer);
      if (what === undefined) continue;
      logger.warn(what, { ...local, ...ownFields(own), ...peerFields(peer) });
      if (what === differentHash) hasMismatch = true;
    }
    if (hasMismatch) {
      throw new CodedError('member/inconsistent', `${this.ownId} found data inconsistency with peers`);
    }
    logger.info('initial corruption checking passed; no corruption', local);
  }

  /** What is to be said of a peer's answer at the start; a member that is not reached was spoken of already. */
  private compareInitially(own: KeyHashResult, { hash, reason }: PeerHashAnswer): string | undefined {
    if (hash !== undefined) {
      if (isSame(own, hash)) return undefined;
      return hash.compactRevision === own.compactRevision
        ? differentHash
        : 'found different compact revision values from remote peer';
    }
    switch (reason) {
      case 'behind':
        return 'cannot fetch hash from slow remote peer';
      case 'compacted':
        return 'cannot fetch hash from remote peer; local member is behind';
      case 'other-cluster':
        return 'cluster ID mismatch';
      case 'answered':
      case 'unreachable':
        return undefined;
      default:
        return reason satisfies never;
    }
  }

  /** As the leader, whose revisions no other member may be ahead of. At most one alarm comes of it. */
  async periodically(): Promise<void> {
    const { logger, memberId, askPeers, catchUp, raise } = this.deps;
    const first = await this.ownHash();
    const peers = await askPeers(first.hashRevision);
    await catchUp();
    const second = await this.ownHash();
    let suspect: bigint | undefined;
    if (
      second.hash !== first.hash &&
      second.hashRevision === first.hashRevision &&
      second.compactRevision === first.compactRevision
    ) {
      logger.warn('found hash mismatch', {
        'revision-1': first.hashRevision,
        'compact-revision-1': first.compactRevision,
        'hash-1': first.hash,
        'revision-2': second.hashRevision,
        'compact-revision-2': second.compactRevision,
        'hash-2': second.hash,
      });
      suspect = memberId;
    }
    for (const peer of peers) if (this.isSuspect(peer, first, second)) suspect ??= peer.id;
    if (suspect !== undefined) raise(suspect);
    const checked = peers.filter(({ hash }) => hash !== undefined).length;
    logger.info('finished peer corruption check', { 'number-of-peers-checked': checked });
  }

  private isSuspect({ id, hash }: PeerHashAnswer, first: KeyHashResult, second: KeyHashResult): boolean {
    if (hash === undefined) return false;
    const { logger } = this.deps;
    const follower = { 'follower-peer-id': memberIdText(id) };
    const isAhead = hash.revision > second.currentRevision;
    const isCompactedFurther = hash.compactRevision > second.compactRevision;
    const isDifferent = hash.compactRevision === first.compactRevision && !isSame(first, hash);
    if (isAhead) {
      const fields = { 'leader-revision': second.currentRevision, 'follower-revision': hash.revision, ...follower };
      logger.warn("revision from follower must be less than or equal to leader's", fields);
    }
    const compacted = {
      'leader-compact-revision': second.compactRevision,
      'follower-compact-revision': hash.compactRevision,
    };
    if (isCompactedFurther) {
      const text = "compact revision from follower must be less than or equal to leader's";
      logger.warn(text, { ...compacted, ...follower });
    }
    if (isDifferent) {
      const hashes = { 'leader-hash': first.hash, 'follower-hash': hash.hash };
      logger.warn('same compact revision then hashes must match', { ...compacted, ...hashes, ...follower });
    }
    return isAhead || isCompactedFurther || isDifferent;
  }

  /** As the leader: compares what compactions stored, from the newest on down to one that all members could answer for. */
  async compactions(): Promise<void> {
    const { logger, requestTimeoutMs, compactionHashes, askPeers } = this.deps;
    const timeout = formatDuration(requestTimeoutMs);
    logger.info('starting compact hash check', { 'local-member-id': this.ownId, timeout });
    const hashes = compactionHashes().filter(({ hashRevision }) => hashRevision > this.checkedRevision);
    let looked = 0;
    for (const own of hashes) {
      looked++;
      const peers = await askPeers(own.hashRevision);
      if (peers.length > 0 && this.compareCompaction(own, peers)) break;
    }
    logger.info('finished compaction hash check', { 'number-of-hashes-checked': looked });
  }

  /** @returns whether that was all there is to find out: everybody agrees, or alarms are raised. */
  private compareCompaction(own: CompactionHash, peers: readonly PeerHashAnswer[]): boolean {
    const { memberId, logger } = this.deps;
    const membersByHash = new Map([[own.hash, [memberId]]]);
    let checked = 0;
    for (const { id, hash } of peers) {
      if (hash === undefined || hash.compactRevision !== own.compactRevision) {
        const reason =
          hash === undefined
            ? 'no response'
            : `the peer's CompactRevision ${hash.compactRevision} doesn't match leader's CompactRevision ${own.compactRevision}`;
        const fields = { 'leader-id': this.ownId, 'peer-id': memberIdText(id), reason };
        logger.warn("Skipped peer's hash", { 'number-of-peers': peers.length, ...fields });
        continue;
      }
      checked++;
      const found = isSame(own, hash) ? own.hash : hash.hash;
      membersByHash.set(found, [...(membersByHash.get(found) ?? []), id]);
    }
    if (membersByHash.size > 1) {
      this.raiseMismatch(own, membersByHash, peers.length + 1);
      return true;
    }
    const numbers = { 'number-of-peers-checked': checked };
    const revisions = { revision: own.hashRevision, compactRevision: own.compactRevision };
    if (checked < peers.length) {
      const text = 'skipped revision in compaction hash check; was not able to check all peers';
      logger.warn(text, { ...numbers, 'number-of-peers': peers.length, ...revisions });
      return false;
    }
    logger.info('successfully checked hash on whole cluster', { ...numbers, ...revisions });
    this.checkedRevision = Math.max(this.checkedRevision, own.hashRevision);
    return true;
  }

  /** The members outside the majority are the odd ones; without a majority it may be anybody. */
  private raiseMismatch(own: CompactionHash, membersByHash: Map<number, readonly bigint[]>, memberCount: number): void {
    const { logger, raise } = this.deps;
    const quorum = Math.floor(memberCount / 2) + 1;
    const leader = {
      'leader-id': this.ownId,
      'leader-revision': own.hashRevision,
      'leader-compact-revision': own.compactRevision,
      'leader-hash': own.hash,
    };
    const majority = [...membersByHash].find(([, ids]) => ids.length >= quorum);
    if (majority === undefined) {
      const text =
        'Detected compaction hash mismatch but cannot identify the corrupted members, so intentionally set the memberID as 0';
      logger.error(text, leader);
      raise(0n);
    } else membersByHash.delete(majority[0]);
    for (const [hash, ids] of membersByHash) {
      if (majority !== undefined) for (const id of ids) raise(id);
      logger.error('Detected compaction hash mismatch', {
        ...leader,
        'peer-hash': hash,
        'peer-ids': ids.map(memberIdText).join(','),
        'quorum-exist': majority !== undefined,
      });
    }
  }

  private async ownHash(): Promise<KeyHashResult> {
    const hash = await this.deps.hash(0);
    if (typeof hash !== 'string') return hash;
    throw new CodedError('member/no-hash', `${this.ownId} failed to fetch hash (${hash})`);
  }
}

const differentHash = 'found different hash values from remote peer';

/** Of the two, only one may have compacted at the revision yet. */
function isSame(own: CompactionHash, { hash }: PeerHash): boolean {
  return hash === own.hash || hash === own.otherHash;
}

function ownFields({ hash, hashRevision, compactRevision }: KeyHashResult): Record<string, unknown> {
  return {
    'local-member-revision': hashRevision,
    'local-member-compact-revision': compactRevision,
    'local-member-hash': hash,
  };
}

function peerFields({ id, urls, hash }: PeerHashAnswer): Record<string, unknown> {
  return {
    'remote-peer-id': memberIdText(id),
    'remote-peer-endpoints': urls,
    ...(hash === undefined
      ? {}
      : {
          'remote-peer-revision': hash.revision,
          'remote-peer-compact-revision': hash.compactRevision,
          'remote-peer-hash': hash.hash,
        }),
  };
}
