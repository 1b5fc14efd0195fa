import type { ServingStatus } from '../rpc/health.ts';

/** Whether the member serves, for who wants to be told. */
export class ServingState implements ServingStatus {
  private serving = false;
  private readonly callbacks = new Set<() => void>();

  isServing(): boolean {
    return this.serving;
  }

  onChange(callback: () => void): () => void {
    this.callbacks.add(callback);
    return () => {
      this.callbacks.delete(callback);
    };
  }

  set(serving: boolean): void {
    if (serving === this.serving) return;
    this.serving = serving;
    for (const callback of this.callbacks) callback();
  }
}
