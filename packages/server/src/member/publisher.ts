import { membershippb } from '@quorate/api';
import type { Clock, Logger, Timer } from '@quorate/base';
import { type Cluster, encodeV2Attributes } from '@quorate/machine';
import { formatDuration } from '../config/duration.ts';
import type { PeerClient } from '../peer/peer-client.ts';
import { type EntryProposals, RequestField } from '../rpc/proposals.ts';
import { chooseForm, type EntryForm } from '../versions/entry-form.ts';
import { pollVersions } from '../versions/member-versions.ts';
import { patienceMs } from '../versions/version-monitor.ts';

/** Pause before what was refused is said again, or members that did not answer are asked again. */
const retryMs = 500;

export interface PublisherDeps {
  readonly clock: Clock;
  readonly proposals: EntryProposals;
  readonly cluster: Cluster;
  readonly logger: Logger;
  readonly peerClient: Pick<PeerClient, 'version'>;
  readonly memberId: bigint;
  readonly name: string;
  readonly clientUrls: readonly string[];
  readonly clusterId: bigint;
  /** After so long without having been told to the cluster the log says so. */
  readonly requestTimeoutMs: number;
  /** Time for another member to tell its version. */
  readonly pollTimeoutMs: number;
}

/** Tells the cluster through the log who this member is, in a form that all members understand. */
export class Publisher {
  private readonly deps: PublisherDeps;
  private isBusy = false;
  private isStopped = false;
  private sinceMs: number | undefined;
  private retryTimer: Timer | undefined;
  private waitTimer: Timer | undefined;
  private resolvePublished: () => void = () => {};
  /** Resolves once the member's name and client URLs went through the log. */
  readonly published: Promise<void>;

  constructor(deps: PublisherDeps) {
    this.deps = deps;
    this.published = new Promise((resolve) => {
      this.resolvePublished = resolve;
    });
  }

  /** From now on it is expected that a leader becomes known. */
  start(): void {
    this.waitTimer = this.deps.clock.setTimer(this.deps.requestTimeoutMs, () => {
      if (this.isBusy) return;
      this.warn('context deadline exceeded');
      this.start();
    });
  }

  /** Called when a leader is known, and again after each batch of entries until all is said. */
  leaderKnown(): void {
    const { cluster, memberId } = this.deps;
    // Who has just joined finds itself in the log first: attributes of a member that is none stop every member of etcd.
    if (this.isBusy || this.isStopped || cluster.member(memberId) === undefined) return;
    this.isBusy = true;
    this.publish();
  }

  /** Nothing is said again. */
  stop(): void {
    this.isStopped = true;
    this.retryTimer?.cancel();
    this.waitTimer?.cancel();
  }

  private publish(): void {
    const { cluster, memberId } = this.deps;
    const others = cluster.members.filter((member) => member.id !== memberId);
    const form = chooseForm(cluster.version, others, undefined);
    if (form !== undefined) {
      this.propose(form);
      return;
    }
    pollVersions(this.deps, others, this.deps.pollTimeoutMs).then((versions) => {
      if (this.isStopped) return;
      const known = chooseForm(cluster.version, others, versions) ?? (this.isPatient() ? undefined : 'v3');
      if (known === undefined) this.retry();
      else this.propose(known);
    });
  }

  /** Members of a new cluster that do not answer are waited for: one of them may be of a release that only knows one of the forms. */
  private isPatient(): boolean {
    const nowMs = this.deps.clock.nowMs();
    this.sinceMs ??= nowMs;
    return nowMs - this.sinceMs < patienceMs;
  }

  private propose(form: EntryForm): void {
    const { memberId, clusterId, name, clientUrls, proposals, logger } = this.deps;
    const outcome = {
      applied: () => {
        logger.info('published local member to cluster through raft', { ...this.fields(), 'cluster-id': clusterId });
        this.resolvePublished();
      },
      failed: (symbol: string) => {
        if (symbol === 'ErrGRPCStopped') return;
        this.warn(symbol);
        this.retry();
      },
    };
    if (form === 'v2') {
      proposals.proposeEntry((id) => encodeV2Attributes(id, memberId, name, clientUrls), outcome);
      return;
    }
    const memberAttributes = membershippb.Attributes.create({ name, clientUrls: [...clientUrls] });
    const request = membershippb.ClusterMemberAttrSetRequest.create({ memberId, memberAttributes });
    const bytes = membershippb.ClusterMemberAttrSetRequest.encode(request);
    proposals.propose(RequestField.clusterMemberAttrSet, bytes, outcome);
  }

  private warn(error: string): void {
    this.deps.logger.warn('failed to publish local member to cluster through raft', { ...this.fields(), error });
  }

  private fields(): Readonly<Record<string, unknown>> {
    const { memberId, name, clientUrls, requestTimeoutMs } = this.deps;
    return {
      'local-member-id': memberId,
      'local-member-attributes': `{Name:${name} ClientURLs:[${clientUrls.join(' ')}]}`,
      'publish-timeout': formatDuration(requestTimeoutMs),
    };
  }

  /** Later: at once would be in the turn that refused it, without an end. */
  private retry(): void {
    this.retryTimer = this.deps.clock.setTimer(retryMs, () => this.publish());
  }
}
