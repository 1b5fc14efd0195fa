import type { Clock, Logger, Timer } from '@quorate/base';
import { formatDuration } from '../config/duration.ts';

export interface ElectionHeadStartDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly isAlone: () => boolean;
  /** How many other members are connected. */
  readonly activeOthers: () => number;
  readonly hasLeader: () => boolean;
  /** Lets so many ticks of the election timeout pass at once. */
  readonly advance: (ticks: number) => void;
}

export interface ElectionHeadStartOptions {
  readonly electionMs: number;
  readonly heartbeatMs: number;
  readonly initialElectionTickAdvance: boolean;
}

const lookEveryMs = 50;
/** Who is not connected after so long gets no head start (etcd's figure). */
const patienceMs = 5_000;

/**
 * At a start most of the first election timeout is skipped, once others are connected: a leader that is there has been heard of by then, and
 * where there is none the election need not wait. Two ticks are left for word that is on its way.
 */
export class ElectionHeadStart {
  private readonly deps: ElectionHeadStartDeps;
  private readonly options: ElectionHeadStartOptions;
  private timer: Timer | undefined;

  constructor(deps: ElectionHeadStartDeps, options: ElectionHeadStartOptions) {
    this.deps = deps;
    this.options = options;
  }

  start(): void {
    const { isAlone, logger, memberId } = this.deps;
    const fields = { 'local-member-id': memberId, ...this.fields };
    if (isAlone()) {
      // It stands for election at once, anyway.
      logger.info('started as single-node; fast-forwarding election ticks', fields);
    } else if (this.options.initialElectionTickAdvance) {
      logger.info('starting initial election tick advance', fields);
      this.look(patienceMs / lookEveryMs);
    } else logger.info('skipping initial election tick advance', fields);
  }

  stop(): void {
    this.timer?.cancel();
  }

  private get fields(): Readonly<Record<string, unknown>> {
    return { 'election-ticks': this.electionTicks, 'election-timeout': formatDuration(this.options.electionMs) };
  }

  private get electionTicks(): number {
    return Math.floor(this.options.electionMs / this.options.heartbeatMs);
  }

  private look(times: number): void {
    if (times === 0) return;
    this.timer = this.deps.clock.setTimer(lookEveryMs, () => {
      const { logger, memberId, activeOthers, hasLeader, advance } = this.deps;
      if (hasLeader()) return;
      const active = activeOthers();
      if (active <= 1) {
        this.look(times - 1);
        return;
      }
      const ticks = this.electionTicks - 2;
      logger.info('initialized peer connections; fast-forwarding election ticks', {
        'local-member-id': memberId,
        'forward-ticks': ticks,
        'forward-duration': formatDuration(ticks * this.options.heartbeatMs),
        ...this.fields,
        'active-remote-members': active,
      });
      advance(ticks);
    });
  }
}
