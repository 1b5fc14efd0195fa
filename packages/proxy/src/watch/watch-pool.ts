import { latin1FromBytes } from '@quorate/base';
import { SharedWatch, type SharedWatchDeps, type WatchQuestion } from './shared-watch.ts';

/** The watches that are shared, one for each question. */
export class WatchPool {
  private readonly deps: SharedWatchDeps;
  private readonly watches = new Map<string, SharedWatch>();
  private alone = 0;

  constructor(deps: Omit<SharedWatchDeps, 'onOver'>) {
    this.deps = { ...deps, onOver: (watch) => this.forget(watch) };
  }

  /** How many watches there are at the servers. */
  get size(): number {
    return this.watches.size + this.alone;
  }

  find(question: WatchQuestion): SharedWatch | undefined {
    return this.watches.get(nameOf(question));
  }

  /** Opens the watch that others with the same question will share; there must be none. */
  open(question: WatchQuestion, startRevision: number): SharedWatch {
    const watch = new SharedWatch(this.deps, question, startRevision);
    this.watches.set(nameOf(question), watch);
    return watch;
  }

  /** Opens one for a single watcher that begins, or is left, behind the shared one. */
  openAlone(question: WatchQuestion, startRevision: number): SharedWatch {
    this.alone++;
    return new SharedWatch(this.deps, question, startRevision);
  }

  private forget(watch: SharedWatch): void {
    const name = nameOf(watch.question);
    if (this.watches.get(name) === watch) this.watches.delete(name);
    else this.alone--;
  }
}

function nameOf(question: WatchQuestion): string {
  const { key, rangeEnd, prevKv, progressNotify, fragment, filters, metadata } = question;
  const parts = [latin1FromBytes(key), latin1FromBytes(rangeEnd), prevKv, progressNotify, fragment, filters, metadata];
  return JSON.stringify(parts);
}
