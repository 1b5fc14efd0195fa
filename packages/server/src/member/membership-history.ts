import { assert } from '@quorate/base';
import type { MembershipState } from '@quorate/machine';
import type { ConfState } from '@quorate/raft';

/** Who was in the cluster once an entry was applied. */
export interface MembershipMoment {
  readonly index: number;
  readonly confState: ConfState;
  readonly state: MembershipState;
}

/** Changes remembered: all that happen while a database is read for a snapshot, and more. */
const momentsMax = 256;

/**
 * The membership at the last changes of it. A snapshot for another member is a database at an index that has passed by the time it is
 * known; what goes with it must be of that very index, or the receiver would apply a change twice.
 */
export class MembershipHistory {
  private readonly moments: MembershipMoment[] = [];

  /** Notes what holds from `index` on. */
  note(moment: MembershipMoment): void {
    const last = this.moments.at(-1);
    assert(last === undefined || moment.index >= last.index, 'the membership changes with ascending indexes');
    this.moments.push(moment);
    if (this.moments.length > momentsMax) this.moments.shift();
  }

  /** Starts over at a leader's snapshot. */
  restart(moment: MembershipMoment): void {
    this.moments.length = 0;
    this.moments.push(moment);
  }

  /** What held once the entry of that index was applied; undefined when that is too long ago. */
  at(index: number): MembershipMoment | undefined {
    return this.moments.findLast((moment) => moment.index <= index);
  }
}
