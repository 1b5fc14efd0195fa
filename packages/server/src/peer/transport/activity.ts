import type { Clock, Logger } from '@quorate/base';
import type { PeerMetrics } from './peer-metrics.ts';

export interface ActivityDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: PeerMetrics;
}

/** Whether a peer can be reached, and since when: what the checks of a reconfiguration and the choice of a successor look at. */
export class Activity {
  private readonly deps: ActivityDeps;
  private readonly id: bigint;
  private activeSinceMs: number | undefined;

  constructor(deps: ActivityDeps, id: bigint) {
    this.deps = deps;
    this.id = id;
  }

  get sinceMs(): number | undefined {
    return this.activeSinceMs;
  }

  activate(): void {
    if (this.activeSinceMs !== undefined) return;
    this.activeSinceMs = this.deps.clock.nowMs();
    this.deps.logger.info('peer became active', { 'peer-id': this.id });
    this.deps.metrics.active(this.id).add(1);
  }

  /** @param action what failed, as `dial`, @param source on which channel */
  deactivate(action: string, source: string, reason: string): void {
    const error = `failed to ${action} ${this.id.toString(16)} on ${source} (${reason})`;
    if (this.activeSinceMs === undefined) {
      this.deps.logger.debug('peer deactivated again', { 'peer-id': this.id, error });
      return;
    }
    this.activeSinceMs = undefined;
    this.deps.logger.warn('peer became inactive (message send to peer failed)', { 'peer-id': this.id, error });
    this.deps.metrics.active(this.id).add(-1);
    this.deps.metrics.disconnected(this.id).add(1);
  }

  /** The peer is no more: it counts as inactive without having failed. */
  forget(): void {
    if (this.activeSinceMs === undefined) return;
    this.activeSinceMs = undefined;
    this.deps.metrics.active(this.id).add(-1);
  }
}
