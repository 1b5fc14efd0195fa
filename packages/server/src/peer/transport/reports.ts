import type { Clock } from '@quorate/base';
import type { RaftPeerSource } from '../peer-source.ts';

/**
 * What the transport found out about peers, told in a later turn: sending must not step into the raft node that is in the middle of
 * handing out its messages. A peer that a whole batch could not reach is told once.
 */
export class Reports {
  private readonly clock: Clock;
  private readonly source: RaftPeerSource;
  private readonly unreachable = new Set<bigint>();
  private snapshots: { readonly id: bigint; readonly status: 'finished' | 'failed' }[] = [];
  private isScheduled = false;
  private isStopped = false;

  constructor(clock: Clock, source: RaftPeerSource) {
    this.clock = clock;
    this.source = source;
  }

  reportUnreachable(id: bigint): void {
    this.unreachable.add(id);
    this.schedule();
  }

  reportSnapshot(id: bigint, status: 'finished' | 'failed'): void {
    this.snapshots.push({ id, status });
    this.schedule();
  }

  /** Tells nothing any more: there may be no node behind the source. */
  stop(): void {
    this.isStopped = true;
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.clock.defer(() => this.tell());
  }

  private tell(): void {
    this.isScheduled = false;
    if (this.isStopped) return;
    const unreachable = [...this.unreachable];
    const { snapshots } = this;
    this.unreachable.clear();
    this.snapshots = [];
    for (const id of unreachable) this.source.reportUnreachable(id);
    for (const { id, status } of snapshots) this.source.reportSnapshot(id, status);
  }
}
