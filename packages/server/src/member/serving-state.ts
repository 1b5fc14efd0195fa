import type { Logger } from '@quorate/base';
import type { ServingStatus } from '../rpc/health.ts';

/** Whether the member serves, for who wants to be told. */
export class ServingState implements ServingStatus {
  private serving = false;
  private readonly callbacks = new Set<() => void>();
  private readonly logger: Logger;

  constructor(logger: Logger) {
    this.logger = logger;
  }

  isServing(): boolean {
    return this.serving;
  }

  onChange(callback: () => void): () => void {
    this.callbacks.add(callback);
    return () => {
      this.callbacks.delete(callback);
    };
  }

  begin(): void {
    if (this.serving) return;
    this.logger.info('grpc service status changed', { service: '', status: 'SERVING' });
    this.set(true);
  }

  /** For a while. */
  pause(reason: string): void {
    if (!this.serving) return;
    this.logger.warn('grpc service status changed', { service: '', status: 'NOT_SERVING', reason });
    this.set(false);
  }

  /** For good, when the member stops. */
  end(): void {
    if (this.serving) this.set(false);
  }

  private set(serving: boolean): void {
    this.serving = serving;
    for (const callback of this.callbacks) callback();
  }
}
