import type { Clock, Logger } from '@quorate/base';
import { type Cluster, compareVersions } from '@quorate/machine';
import type { Backend } from '@quorate/storage';
import { checkClusterVersion } from '../bootstrap/cluster-version-check.ts';
import type { MemberConfig } from '../config/config.ts';
import { Publisher } from '../member/publisher.ts';
import type { PeerClient } from '../peer/peer-client.ts';
import type { EntryProposals } from '../rpc/proposals.ts';
import { minorVersion } from '../version.ts';
import { StorageVersion } from './storage-version.ts';
import { VersionMonitor } from './version-monitor.ts';

export interface ClusterVersionsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly proposals: EntryProposals;
  readonly cluster: Cluster;
  readonly backend: () => Backend;
  readonly peerClient: Pick<PeerClient, 'version'>;
  readonly snapshotter: { readonly index: number; force(): void };
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly isLeader: () => boolean;
  readonly appliedIndex: () => number;
}

/** Connecting to a peer may take an election timeout and this; so long a member has to tell its version. */
const dialSlackMs = 1_000;

/** What members tell each other about themselves through the log: who they are, and which version they can all run with. */
export class ClusterVersions {
  private readonly deps: ClusterVersionsDeps;
  private readonly publisher: Publisher;
  private readonly monitor: VersionMonitor;
  private readonly storage: StorageVersion;
  /** The last term in which this member led and had an entry of its own applied. */
  private ledTerm = 0;

  constructor(deps: ClusterVersionsDeps, config: MemberConfig & { readonly requestTimeoutMs: number }) {
    this.deps = deps;
    const pollTimeoutMs = dialSlackMs + config.electionMs;
    const { name, downgradeCheckMs, requestTimeoutMs } = config;
    const clientUrls = config.advertiseClientUrls.map((url) => url.href);
    this.publisher = new Publisher({ ...deps, name, clientUrls, pollTimeoutMs, requestTimeoutMs });
    this.monitor = new VersionMonitor(deps, { pollTimeoutMs, downgradeCheckMs });
    this.storage = new StorageVersion({
      ...deps,
      snapshotIndex: () => deps.snapshotter.index,
      forceSnapshot: () => deps.snapshotter.force(),
    });
  }

  /** Resolves once the member's name and client URLs went through the log. */
  get published(): Promise<void> {
    return this.publisher.published;
  }

  start(): void {
    this.publisher.start();
    this.monitor.start();
    this.storage.start();
  }

  stop(): void {
    this.publisher.stop();
    this.monitor.stop();
    this.storage.stop();
  }

  leaderKnown(): void {
    this.publisher.leaderKnown();
  }

  /** Entries are applied. */
  applied(appliedTerm: number, term: number): void {
    if (!this.deps.isLeader() || appliedTerm !== term || this.ledTerm === term) return;
    this.ledTerm = term;
    this.monitor.firstCommitInTerm();
  }

  /** An entry sets the cluster's version. @throws CodedError member/version-too-high */
  set(version: string): void {
    const { cluster, logger, snapshotter } = this.deps;
    checkClusterVersion(version);
    const before = cluster.version;
    cluster.setClusterVersion(version);
    this.logChange(before, version);
    if (before !== undefined && compareVersions(version, before) < 0) {
      // Older releases read the log from there.
      logger.info('Cluster version downgrade detected, forcing snapshot', {
        'prev-cluster-version': before,
        'new-cluster-version': version,
      });
      snapshotter.force();
    }
    this.storage.update();
  }

  private logChange(before: string | undefined, version: string): void {
    const { logger, memberId, clusterId } = this.deps;
    const own = { 'cluster-id': clusterId, 'local-member-id': memberId };
    const shown = { 'cluster-version': minorVersion(version) };
    if (before === undefined) logger.info('set initial cluster version', { ...own, ...shown });
    else logger.info('updated cluster version', { ...own, from: minorVersion(before), to: minorVersion(version) });
    if (before !== version) logger.info('enabled capabilities for version', shown);
    logger.info('cluster version is updated', shown);
  }

  /** The member stands on a leader's snapshot. @throws CodedError member/version-too-high */
  restored(): void {
    checkClusterVersion(this.deps.cluster.version);
    this.storage.update();
  }
}
