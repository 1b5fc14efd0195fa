import { CatchUpGroup, groupName } from './catch-up-group.ts';
import { InterestIndex, pushSlotted, removeSlotted } from './interest-index.ts';
import type { Watcher } from './watcher.ts';

/** Watchers served by one pass over the history. */
export class Cohort {
  /** The first revision not yet read. */
  cursor: number;
  /** Of all batches together. */
  bytes = 0;
  readonly index = new InterestIndex<CatchUpGroup>();
  readonly groups = new Set<CatchUpGroup>();
  /** Groups that a newcomer may still join: by what their watchers need. */
  private readonly byName = new Map<string, CatchUpGroup>();

  constructor(cursor: number) {
    this.cursor = cursor;
  }

  /** The watcher's next revision is not before the cursor. */
  add(watcher: Watcher): void {
    const name = groupName(watcher);
    let group = this.byName.get(name);
    // A group that the scan has reached may hold a batch or have sent one: it is no longer at its `fromRevision`.
    if (group === undefined || this.cursor > group.fromRevision) {
      group = new CatchUpGroup(this, name, watcher);
      this.byName.set(name, group);
      this.groups.add(group);
      group.interest = this.index.add(watcher.key, watcher.end, group);
    }
    watcher.state = 'scanning';
    watcher.group = group;
    pushSlotted(group.watchers, watcher);
  }

  /** Takes the watcher out; its state is for the caller to set. */
  remove(watcher: Watcher, group: CatchUpGroup): void {
    removeSlotted(group.watchers, watcher);
    watcher.group = undefined;
    if (group.watchers.length === 0) this.removeGroup(group);
  }

  private removeGroup(group: CatchUpGroup): void {
    group.clearBatch();
    this.groups.delete(group);
    if (this.byName.get(group.name) === group) this.byName.delete(group.name);
    if (group.interest !== undefined) this.index.remove(group.interest, group);
    group.interest = undefined;
  }
}
