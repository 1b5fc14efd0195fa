/** Calls off what was begun with it: local calls, for example. */
export class Cancellation {
  private readonly callbacks = new Set<() => void>();
  private isDone = false;

  get cancelled(): boolean {
    return this.isDone;
  }

  /** Once; later calls do nothing. */
  cancel(): void {
    if (this.isDone) return;
    this.isDone = true;
    for (const callback of this.callbacks) callback();
    this.callbacks.clear();
  }

  /**
   * Calls back when it is cancelled; at once if it already is.
   * @returns what takes the callback off again.
   */
  onCancel(callback: () => void): () => void {
    if (this.isDone) callback();
    else this.callbacks.add(callback);
    return () => {
      this.callbacks.delete(callback);
    };
  }
}
