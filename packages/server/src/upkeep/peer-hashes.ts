import { hasCode, type Logger } from '@quorate/base';
import { type Cluster, type Member, memberIdText } from '@quorate/machine';
import type { PeerClient, PeerHash } from '../peer/peer-client.ts';
import { storeErrorText } from '../peer/protocol/error-text.ts';

/** What another member answered when asked for its hash. */
export interface PeerHashAnswer {
  readonly id: bigint;
  readonly urls: readonly string[];
  readonly hash: PeerHash | undefined;
  /** Why there is none. */
  readonly reason: 'answered' | 'behind' | 'compacted' | 'other-cluster' | 'unreachable';
}

export interface PeerHashDeps {
  readonly logger: Logger;
  readonly peerClient: Pick<PeerClient, 'hashKeys'>;
  readonly cluster: Pick<Cluster, 'members'>;
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

/** Asks all other members for the hash of their keys at a revision, all at once, each over its URLs in turn. */
export function askPeerHashes(
  deps: PeerHashDeps,
  revision: number,
  timeoutMs: number,
): Promise<readonly PeerHashAnswer[]> {
  const others = deps.cluster.members.filter(({ id, peerUrls }) => id !== deps.memberId && peerUrls.length > 0);
  return Promise.all(others.map((member) => askPeerHash(deps, member, revision, timeoutMs)));
}

async function askPeerHash(
  { logger, peerClient, memberId, clusterId }: PeerHashDeps,
  { id, peerUrls: urls }: Member,
  revision: number,
  timeoutMs: number,
): Promise<PeerHashAnswer> {
  let reason: PeerHashAnswer['reason'] = 'unreachable';
  for (const url of urls) {
    try {
      return { id, urls, hash: await peerClient.hashKeys(url, revision, clusterId, timeoutMs), reason: 'answered' };
    } catch (error) {
      reason = reasonOf(error);
      logger.warn('failed hash kv request', {
        'local-member-id': memberIdText(memberId),
        'requested-revision': revision,
        'remote-peer-endpoint': url,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }
  return { id, urls, hash: undefined, reason };
}

/** Another member's refusal is told by its text, as etcd has no other sign. */
function reasonOf(error: unknown): PeerHashAnswer['reason'] {
  if (!hasCode(error, 'peer/refused')) return 'unreachable';
  const { message } = error as Error;
  if (message.includes(storeErrorText('ErrGRPCFutureRev'))) return 'behind';
  if (message.includes(storeErrorText('ErrGRPCCompacted'))) return 'compacted';
  return message.includes('cluster ID mismatch') ? 'other-cluster' : 'unreachable';
}
