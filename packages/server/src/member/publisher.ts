import { etcdserverpb, membershippb } from '@quorate/api';
import type { Clock, Logger, Timer } from '@quorate/base';
import type { Cluster } from '@quorate/machine';
import { type Proposals, RequestField } from '../rpc/proposals.ts';
import { clusterVersion } from '../version.ts';

/** Pause before what was refused is said again; at once would be in the turn that refused it, without an end. */
const retryMs = 500;

export interface PublisherDeps {
  readonly clock: Clock;
  readonly proposals: Proposals;
  readonly cluster: Cluster;
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly name: string;
  readonly clientUrls: readonly string[];
}

/** Tells the cluster through the log who this member is, and as leader which version the cluster has. */
export class Publisher {
  private readonly deps: PublisherDeps;
  private publishing = false;
  private settingVersion = false;
  private retryTimer: Timer | undefined;
  private resolvePublished: () => void = () => {};
  /** Resolves once the member's name and client URLs went through the log. */
  readonly published: Promise<void>;

  constructor(deps: PublisherDeps) {
    this.deps = deps;
    this.published = new Promise((resolve) => {
      this.resolvePublished = resolve;
    });
  }

  /** Called when a leader is known, and again until all is said. */
  leaderKnown(isLeader: boolean): void {
    this.publish();
    if (isLeader && this.deps.cluster.version === undefined) this.setVersion();
  }

  /** Nothing is said again. */
  stop(): void {
    this.retryTimer?.cancel();
  }

  private publish(): void {
    if (this.publishing) return;
    this.publishing = true;
    const { clock, memberId, name, clientUrls, proposals, logger } = this.deps;
    const request = membershippb.ClusterMemberAttrSetRequest.create({
      memberId,
      memberAttributes: membershippb.Attributes.create({ name, clientUrls: [...clientUrls] }),
    });
    const bytes = membershippb.ClusterMemberAttrSetRequest.encode(request);
    proposals.propose(RequestField.clusterMemberAttrSet, bytes, {
      applied: () => {
        logger.info('published local member to cluster through raft', { 'local-member-id': memberId });
        this.resolvePublished();
      },
      failed: (symbol) => {
        if (symbol === 'ErrGRPCStopped') return;
        logger.warn('failed to publish local member to cluster through raft', { error: symbol });
        this.retryTimer = clock.setTimer(retryMs, () => {
          this.publishing = false;
          this.publish();
        });
      },
    });
  }

  private setVersion(): void {
    if (this.settingVersion) return;
    this.settingVersion = true;
    const { proposals, logger } = this.deps;
    logger.info('setting up initial cluster version using v3 API', { 'cluster-version': clusterVersion.slice(0, -2) });
    const request = membershippb.ClusterVersionSetRequest.create({ ver: clusterVersion });
    const done = () => {
      this.settingVersion = false;
    };
    proposals.propose(RequestField.clusterVersionSet, membershippb.ClusterVersionSetRequest.encode(request), {
      applied: done,
      failed: done,
    });
  }
}

/** The request that raises or lowers an alarm. */
export function encodeAlarm(memberId: bigint, alarm: number, isRaised: boolean): Uint8Array {
  const { AlarmAction } = etcdserverpb;
  const action = isRaised ? AlarmAction.ACTIVATE : AlarmAction.DEACTIVATE;
  return etcdserverpb.AlarmRequest.encode(etcdserverpb.AlarmRequest.create({ action, memberId, alarm }));
}
