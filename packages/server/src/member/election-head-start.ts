import type { Clock, Logger, Timer } from '@quorate/base';
import type { Cluster } from '@quorate/machine';
import type { MemberConfig } from '../config/config.ts';

export interface ElectionHeadStartDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly cluster: Pick<Cluster, 'members'>;
  readonly activeSince: (id: bigint) => number | undefined;
  readonly hasLeader: () => boolean;
  /** Lets so many ticks of the election timeout pass at once. */
  readonly advance: (ticks: number) => void;
}

type ElectionSettings = Pick<MemberConfig, 'electionMs' | 'heartbeatMs' | 'initialElectionTickAdvance'>;

const lookEveryMs = 50;
/** Who is not connected after so long gets no head start (etcd's figure). */
const patienceMs = 5_000;

/**
 * At a start most of the first election timeout is skipped, once others are connected: a leader that is there has been heard of by then, and
 * where there is none the election need not wait. Two ticks are left for word that is on its way.
 */
export class ElectionHeadStart {
  private readonly deps: ElectionHeadStartDeps;
  private readonly config: ElectionSettings;
  private timer: Timer | undefined;

  constructor(deps: ElectionHeadStartDeps, config: ElectionSettings) {
    this.deps = deps;
    this.config = config;
  }

  start(): void {
    const { cluster, logger, memberId } = this.deps;
    const fields = { 'local-member-id': memberId, 'election-ticks': this.electionTicks };
    if (cluster.members.length === 1) {
      // It stands for election at once, anyway.
      logger.info('started as single-node; fast-forwarding election ticks', fields);
    } else if (this.config.initialElectionTickAdvance) {
      logger.info('starting initial election tick advance', fields);
      this.look(patienceMs / lookEveryMs);
    } else logger.info('skipping initial election tick advance', fields);
  }

  stop(): void {
    this.timer?.cancel();
  }

  private get electionTicks(): number {
    return Math.floor(this.config.electionMs / this.config.heartbeatMs);
  }

  private look(times: number): void {
    if (times === 0) return;
    this.timer = this.deps.clock.setTimer(lookEveryMs, () => {
      const { cluster, logger, memberId, activeSince, hasLeader, advance } = this.deps;
      if (hasLeader()) return;
      const active = cluster.members.filter(({ id }) => id !== memberId && activeSince(id) !== undefined).length;
      if (active <= 1) {
        this.look(times - 1);
        return;
      }
      const ticks = this.electionTicks - 2;
      logger.info('initialized peer connections; fast-forwarding election ticks', {
        'local-member-id': memberId,
        'forward-ticks': ticks,
        'active-remote-members': active,
      });
      advance(ticks);
    });
  }
}
