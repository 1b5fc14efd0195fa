import { type ErrorSymbol, etcdserverpb } from '@quorate/api';
import { type Logger, latin1FromBytes, silentLogger } from '@quorate/base';
import { Cluster, encodeMember } from '@quorate/machine';
import { BucketId, createMemoryBackend } from '@quorate/storage';
import { FakePeers, listed } from '../../bootstrap/testing/peers.ts';
import { type EntryProposals, type ProposalOutcome, RequestField } from '../../rpc/proposals.ts';
import { ManualClock } from '../../testing/manual-clock.ts';

const ownId = 1n;
const requestNames = new Map<number, string>(Object.entries(RequestField).map(([name, field]) => [field, name]));

/** Member 1 of a cluster, over a clock that stands; the others only tell their versions. Proposals are noted, in words. */
export class VersionWorld {
  readonly memberId = ownId;
  readonly clusterId = 9n;
  readonly clock = new ManualClock();
  readonly peers = new FakePeers({});
  readonly peerClient = this.peers.client;
  readonly backend = createMemoryBackend({ clock: this.clock });
  readonly cluster = new Cluster({ backend: this.backend });
  readonly proposed: string[] = [];
  readonly outcomes: ProposalOutcome[] = [];
  readonly warnings: string[] = [];
  readonly logger: Logger = {
    ...silentLogger,
    warn: (message) => void this.warnings.push(message),
    error: (message) => void this.warnings.push(message),
  };
  leads = true;
  readonly isLeader = () => this.leads;
  /** What proposals are refused with, at once. */
  refusal: ErrorSymbol | undefined;

  constructor(...others: bigint[]) {
    for (const id of [ownId, ...others]) this.add(id);
  }

  add(id: bigint): void {
    this.cluster.apply({ type: 0, nodeId: id, context: encodeMember(listed(id, urlOf(id))) });
  }

  /** The others run these releases from now on; undefined of one that does not answer. */
  run(servers: Readonly<Record<string, string | undefined>>): void {
    for (const [id, server] of Object.entries(servers)) {
      this.peers.answers.set(
        urlOf(BigInt(id)),
        server === undefined ? {} : { version: { server, cluster: undefined } },
      );
    }
  }

  readonly proposals: EntryProposals = {
    propose: (field, request, outcome) => this.note(`${requestNames.get(field)} ${textOf(field, request)}`, outcome),
    proposeEntry: (encode, outcome) => {
      const { method, path, val } = etcdserverpb.Request.decode(encode(7n));
      this.note(`${method} ${path} ${val}`, outcome);
    },
  };

  private note(text: string, outcome: ProposalOutcome): void {
    this.proposed.push(text);
    this.outcomes.push(outcome);
    if (this.refusal !== undefined) outcome.failed(this.refusal);
  }

  /** The last proposal is applied: as the cluster's version, if `version` is given. */
  applyLast(version?: string): void {
    if (version !== undefined) this.cluster.setClusterVersion(version);
    this.outcomes.at(-1)?.applied({ kind: 'done', revision: 1 });
  }

  storedVersion(): string | undefined {
    const bytes = this.backend.get(BucketId.meta, new TextEncoder().encode('storageVersion'));
    return bytes === undefined ? undefined : latin1FromBytes(bytes);
  }
}

export function urlOf(id: bigint): string {
  return `http://m${id}:1`;
}

/** What of a request is text. */
function textOf(field: number, request: Uint8Array): string {
  const whole = etcdserverpb.InternalRaftRequest.decode(wrapped(field, request));
  const { clusterVersionSet, clusterMemberAttrSet, downgradeInfoSet } = whole;
  if (clusterVersionSet !== undefined) return clusterVersionSet.ver;
  if (downgradeInfoSet !== undefined) return `${downgradeInfoSet.enabled}`;
  return `${clusterMemberAttrSet?.memberId} ${clusterMemberAttrSet?.memberAttributes?.name}`;
}

/** As the replica splices it; fields above 15 have tags of two bytes, and all requests here are short. */
function wrapped(field: number, request: Uint8Array): Uint8Array {
  const tag = (field << 3) | 2;
  return Uint8Array.from([(tag & 0x7f) | 0x80, tag >> 7, request.length, ...request]);
}
