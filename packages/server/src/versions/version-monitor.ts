import { membershippb } from '@quorate/api';
import type { Clock, Logger, Timer } from '@quorate/base';
import { type Cluster, encodeV2Version, type Member } from '@quorate/machine';
import type { PeerClient } from '../peer/peer-client.ts';
import { type EntryProposals, RequestField } from '../rpc/proposals.ts';
import { minorVersion } from '../version.ts';
import { allRun, decideClusterVersion } from './cluster-version.ts';
import { chooseForm } from './entry-form.ts';
import { pollVersions, type VersionTable, withOwn } from './member-versions.ts';

export interface VersionMonitorDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly proposals: EntryProposals;
  readonly cluster: Cluster;
  readonly peerClient: Pick<PeerClient, 'version'>;
  readonly isLeader: () => boolean;
  readonly memberId: bigint;
}

export interface VersionMonitorOptions {
  /** Time for one member's answer. */
  readonly pollTimeoutMs: number;
  /** How often a downgrade is looked at; 0 never. */
  readonly downgradeCheckMs: number;
}

const everyMs = 4_000;
/** A new cluster whose members are still starting is asked again so often, and so long, before its version is set without some of them. */
const retryMs = 500;
export const patienceMs = 3_000;

/** On the leader: keeps the cluster's version at that of its oldest member, and ends a downgrade that is done. */
export class VersionMonitor {
  private readonly deps: VersionMonitorDeps;
  private readonly options: VersionMonitorOptions;
  private timer: Timer | undefined;
  private downgradeTimer: Timer | undefined;
  private isChecking = false;
  private isProposing = false;
  private isStopped = false;
  /** When a leader here first found that some members of a cluster without a version did not answer. */
  private undecidedSinceMs: number | undefined;

  constructor(deps: VersionMonitorDeps, options: VersionMonitorOptions) {
    this.deps = deps;
    this.options = options;
  }

  start(): void {
    this.checkIn(everyMs);
    if (this.options.downgradeCheckMs > 0) this.checkDowngradeLater();
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
    this.downgradeTimer?.cancel();
  }

  /** The first entry of this member's term as a leader is applied: it may decide now. */
  firstCommitInTerm(): void {
    this.check();
  }

  private checkIn(delayMs: number): void {
    this.timer?.cancel();
    if (this.isStopped) return;
    this.timer = this.deps.clock.setTimer(delayMs, () => this.check());
  }

  private check(): void {
    this.checkIn(everyMs);
    if (!this.mayDecide()) return;
    const others = this.others();
    if (others.length === 0) {
      this.decide(others, new Map());
      return;
    }
    this.isChecking = true;
    this.poll(others).then((versions) => {
      this.isChecking = false;
      if (this.mayDecide()) this.decide(others, versions);
    });
  }

  private mayDecide(): boolean {
    return !this.isStopped && !this.isChecking && !this.isProposing && this.deps.isLeader();
  }

  private others(): Member[] {
    return this.deps.cluster.members.filter((member) => member.id !== this.deps.memberId);
  }

  private poll(others: readonly Member[]): Promise<VersionTable> {
    return pollVersions(this.deps, others, this.options.pollTimeoutMs);
  }

  private decide(others: readonly Member[], versions: VersionTable): void {
    const { cluster, memberId, logger } = this.deps;
    const { version } = cluster;
    const hasSilent = others.some((member) => versions.get(member.id) === undefined);
    if (version === undefined && hasSilent && this.isPatient()) {
      this.checkIn(retryMs);
      return;
    }
    const decision = decideClusterVersion(version, withOwn(versions, memberId, version), cluster.downgrade);
    if (decision === undefined) return;
    if (typeof decision === 'string') this.propose(decision, chooseForm(version, others, versions) ?? 'v3');
    else logger.error('Failed to monitor cluster version', { error: decision.problem });
  }

  private isPatient(): boolean {
    const nowMs = this.deps.clock.nowMs();
    this.undecidedSinceMs ??= nowMs;
    return nowMs - this.undecidedSinceMs < patienceMs;
  }

  private propose(version: string, form: 'v2' | 'v3'): void {
    const { proposals, cluster, logger } = this.deps;
    if (cluster.version === undefined) {
      logger.info(`setting up initial cluster version using ${form} API`, { 'cluster-version': minorVersion(version) });
    } else {
      const fields = { from: minorVersion(cluster.version), to: minorVersion(version) };
      logger.info(`updating cluster version using ${form} API`, fields);
    }
    const outcome = {
      applied: () => {
        this.isProposing = false;
      },
      failed: (symbol: string) => {
        this.isProposing = false;
        if (!this.isStopped) logger.warn('failed to update cluster version', { error: symbol });
      },
    };
    this.isProposing = true;
    if (form === 'v2') proposals.proposeEntry((id) => encodeV2Version(id, version), outcome);
    else {
      const request = membershippb.ClusterVersionSetRequest.create({ ver: version });
      const bytes = membershippb.ClusterVersionSetRequest.encode(request);
      proposals.propose(RequestField.clusterVersionSet, bytes, outcome);
    }
  }

  private checkDowngradeLater(): void {
    if (this.isStopped) return;
    this.downgradeTimer = this.deps.clock.setTimer(this.options.downgradeCheckMs, () => {
      this.checkDowngrade().finally(() => this.checkDowngradeLater());
    });
  }

  /** A downgrade is done when all members run its target. */
  private async checkDowngrade(): Promise<void> {
    const { cluster, memberId, logger, isLeader } = this.deps;
    const isRunning = () => !this.isStopped && isLeader() && cluster.downgrade.isEnabled;
    if (!isRunning()) return;
    const versions = withOwn(await this.poll(this.others()), memberId, cluster.version);
    const { targetVersion } = cluster.downgrade;
    if (!isRunning() || !allRun(versions, targetVersion)) return;
    logger.info('the cluster has been downgraded', { 'cluster-version': targetVersion });
    const request = membershippb.DowngradeInfoSetRequest.create({ enabled: false });
    this.deps.proposals.propose(RequestField.downgradeInfoSet, membershippb.DowngradeInfoSetRequest.encode(request), {
      applied() {},
      failed: (symbol) => logger.warn('failed to cancel downgrade', { error: symbol }),
    });
  }
}
