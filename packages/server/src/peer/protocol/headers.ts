/** Headers of requests and answers between members, spelled as Go puts them on the wire (peer protocol, 1.3). */
export const PeerHeader = {
  from: 'X-Server-From',
  serverVersion: 'X-Server-Version',
  minClusterVersion: 'X-Min-Cluster-Version',
  clusterId: 'X-Etcd-Cluster-Id',
  to: 'X-Raft-To',
  peerUrls: 'X-Peerurls',
} as const;

/** The oldest cluster version that a member of any release works with. */
const minClusterVersion = '3.0.0';
/** What a request says by leaving a version out. */
const versionWithoutHeader = '2.0.0';
/** The release that brought the streams of today. */
const streamsSince: Line = [2, 1];

/** Who asks, as it stands in the headers. */
export interface LocalPeer {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly serverVersion: string;
  readonly peerUrls: readonly string[];
}

export function idText(id: bigint): string {
  return id.toString(16);
}

/** The id in such a text, as Go reads it: any number of leading zeros; undefined when it is none. */
export function idFromText(text: string): bigint | undefined {
  if (!/^[0-9a-f]{1,64}$/i.test(text)) return undefined;
  const id = BigInt(`0x${text}`);
  return id > 0xffff_ffff_ffff_ffffn ? undefined : id;
}

/** Of every request that carries raft messages. */
export function raftRequestHeaders(local: LocalPeer): Record<string, string> {
  return {
    [PeerHeader.from]: idText(local.memberId),
    [PeerHeader.serverVersion]: local.serverVersion,
    [PeerHeader.minClusterVersion]: minClusterVersion,
    [PeerHeader.clusterId]: idText(local.clusterId),
    [PeerHeader.peerUrls]: local.peerUrls.join(','),
  };
}

/** Major and minor, all that matters between members. */
type Line = readonly [number, number];

function lineOf(version: string): Line | undefined {
  const match = /^(\d{1,9})\.(\d{1,9})\.\d{1,9}(?:[-+].*)?$/.exec(version);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

function compareLines(a: Line, b: Line): number {
  return a[0] - b[0] || a[1] - b[1];
}

export type ReadHeader = (name: string) => string | undefined;

/** `malformed`: no version where one should be; etcd cuts the connection then. */
export type SenderCheck = 'ok' | 'incompatible version' | 'cluster ID mismatch' | 'malformed';

/** Whether the sender of a request belongs to this cluster and can be understood: versions first, then the cluster (1.4). */
export function checkSender(header: ReadHeader, local: Pick<LocalPeer, 'clusterId' | 'serverVersion'>): SenderCheck {
  const theirs = lineOf(header('x-server-version') ?? versionWithoutHeader);
  const theirMin = lineOf(header('x-min-cluster-version') ?? versionWithoutHeader);
  if (theirs === undefined || theirMin === undefined) return 'malformed';
  const ours = lineOf(local.serverVersion) as Line;
  if (compareLines(theirs, lineOf(minClusterVersion) as Line) < 0 || compareLines(theirMin, ours) > 0)
    return 'incompatible version';
  return header('x-etcd-cluster-id') === idText(local.clusterId) ? 'ok' : 'cluster ID mismatch';
}

/** Whether a member that answers a request for a stream with these headers speaks our streams (1.5). */
export function speaksStreams(header: ReadHeader, serverVersion: string): boolean {
  const theirs = lineOf(header('x-server-version') ?? versionWithoutHeader);
  if (theirs === undefined) return false;
  return compareLines(theirs, lineOf(serverVersion) as Line) >= 0 || compareLines(theirs, streamsSince) >= 0;
}

/** The sender and its URLs, when the request tells both. */
export function senderOf(header: ReadHeader): { readonly id: bigint; readonly urls: readonly string[] } | undefined {
  const id = idFromText(header('x-server-from') ?? '');
  const urls = header('x-peerurls') ?? '';
  return id === undefined || urls === '' ? undefined : { id, urls: urls.split(',') };
}
