/** How to close what was opened so far, when what follows fails. */
export class UndoStack {
  private readonly steps: (() => void | Promise<void>)[] = [];

  /** @returns what was opened */
  add<T>(opened: T, close: (opened: T) => void | Promise<void>): T {
    this.steps.push(() => close(opened));
    return opened;
  }

  /** Closes everything, what was opened last first. One that cannot be closed is told to `onFailure` and keeps none of the others open. */
  async undo(onFailure: (error: unknown) => void): Promise<void> {
    for (const close of this.steps.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        onFailure(error);
      }
    }
  }
}
