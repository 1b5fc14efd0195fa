import { errors } from '@quorate/api';
import type { Clock, Logger, Timer } from '@quorate/base';
import type { RawNode } from '@quorate/raft';
import { formatDuration } from '../config/duration.ts';

export interface LeaderTransferDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly withNode: (action: (node: RawNode) => void) => void;
  readonly leader: () => bigint;
}

interface Wait {
  readonly to: bigint;
  readonly resolve: (isDone: boolean) => void;
  readonly timer: Timer;
}

/** Hands leadership to another member and notices when it has it. */
export class LeaderTransfer {
  private readonly deps: LeaderTransferDeps;
  private readonly waits = new Set<Wait>();

  constructor(deps: LeaderTransferDeps) {
    this.deps = deps;
  }

  /** As the leader. Resolves with whether the voter `to` leads within the time. */
  move(to: bigint, timeoutMs: number): Promise<boolean> {
    const { clock, logger, memberId, withNode, leader } = this.deps;
    const own = { 'local-member-id': memberId };
    const [from, sinceMs] = [leader(), clock.nowMs()];
    logger.info('leadership transfer starting', {
      ...own,
      ...{ 'current-leader-member-id': from, 'transferee-member-id': to },
    });
    return new Promise<boolean>((resolve) => {
      const wait: Wait = { to, resolve, timer: clock.setTimer(timeoutMs, () => this.end(wait, false)) };
      this.waits.add(wait);
      withNode((node) => node.transferLeader(to));
      this.leaderChanged(leader());
    }).then((isDone) => {
      const took = formatDuration(clock.nowMs() - sinceMs);
      const fields = { ...own, 'old-leader-member-id': from, 'new-leader-member-id': to, took };
      if (isDone) logger.info('leadership transfer finished', fields);
      else logger.warn('leadership transfer failed', { ...fields, error: errors.ErrGRPCTimeout.message });
      return isDone;
    });
  }

  leaderChanged(leader: bigint): void {
    for (const wait of this.waits) if (wait.to === leader) this.end(wait, true);
  }

  private end(wait: Wait, isDone: boolean): void {
    this.waits.delete(wait);
    wait.timer.cancel();
    wait.resolve(isDone);
  }
}
