import type { Clock, Logger, Timer } from '@quorate/base';
import type { RawNode } from '@quorate/raft';

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
    const fields = { 'local-member-id': memberId, 'current-leader-member-id': leader(), 'transferee-member-id': to };
    logger.info('leadership transfer starting', fields);
    return new Promise<boolean>((resolve) => {
      const wait: Wait = { to, resolve, timer: clock.setTimer(timeoutMs, () => this.end(wait, false)) };
      this.waits.add(wait);
      withNode((node) => node.transferLeader(to));
      this.leaderChanged(leader());
    }).then((isDone) => {
      if (isDone) logger.info('leadership transfer finished', fields);
      else
        logger.warn('leadership transfer failed', {
          ...fields,
          error: 'request timed out, leader transfer took too long',
        });
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
