import type { Logger } from '@quorate/base';
import { type Member, memberIdText } from '@quorate/machine';
import type { PeerClient, PeerVersion } from '../peer/peer-client.ts';
import { etcdVersion } from '../version.ts';

export interface VersionPollDeps {
  readonly peerClient: Pick<PeerClient, 'version'>;
  readonly logger: Logger;
}

/** By member; undefined of one that does not answer. */
export type VersionTable = ReadonlyMap<bigint, PeerVersion | undefined>;

/** Asks members which version they run, all at once, each over its URLs in turn. */
export async function pollVersions(
  deps: VersionPollDeps,
  members: readonly Member[],
  timeoutMs: number,
): Promise<VersionTable> {
  const asked = members.map(async (member) => [member.id, await pollVersion(deps, member, timeoutMs)] as const);
  return new Map(await Promise.all(asked));
}

/** Versions of all members, this one's own with them. */
export function withOwn(versions: VersionTable, memberId: bigint, clusterVersion: string | undefined): VersionTable {
  return new Map([...versions, [memberId, { server: etcdVersion, cluster: clusterVersion }]]);
}

async function pollVersion(
  { peerClient, logger }: VersionPollDeps,
  member: Member,
  timeoutMs: number,
): Promise<PeerVersion | undefined> {
  let last = 'no peer URLs';
  for (const url of member.peerUrls) {
    try {
      return await peerClient.version(url, timeoutMs);
    } catch (error) {
      last = String(error);
      const fields = { address: `${url}/version`, 'remote-member-id': memberIdText(member.id), error: last };
      logger.warn('failed to reach the peer URL', fields);
    }
  }
  logger.warn('failed to get version', { 'remote-member-id': memberIdText(member.id), error: last });
  return undefined;
}
