import { equalBytes } from '@quorate/base';
import { type Entry, EntryType } from '@quorate/raft';
import type { TimedEntry, Violation } from '../history/history.ts';

/** What a member stands at. */
export interface StandPoint {
  readonly revision: number;
  readonly authRevision: number;
}

interface Known extends TimedEntry, StandPoint {
  readonly isMembership: boolean;
}

/** Holds what members apply against what others applied at the same index: the same entry, and the same revision from it. */
export class Agreement {
  /** By index. */
  private readonly known: (Known | undefined)[] = [];
  readonly violations: Violation[] = [];

  /** @param opened where the member stood when this life of its machine began. */
  applied(who: string, atMs: number, entry: Entry, now: StandPoint, opened: StandPoint): void {
    const { index, term, data } = entry;
    const known = this.known[index];
    if (known === undefined) {
      const isMembership = entry.type !== EntryType.Normal;
      this.known[index] = { index, term, data: data.slice(), appliedMs: atMs, ...now, isMembership };
      return;
    }
    if (known.term !== term || !equalBytes(known.data, data)) {
      const text = `term ${term}, ${data.length} bytes, instead of term ${known.term}, ${known.data.length} bytes`;
      this.violate(`${who} applied another entry at ${index}: ${text}`);
    }
    this.compare(who, index, 'revision', now.revision, known.revision, opened.revision);
    this.compare(who, index, 'auth revision', now.authRevision, known.authRevision, opened.authRevision);
  }

  /** A member that goes through entries which its database has already stays where it stood. */
  private compare(who: string, index: number, what: string, found: number, known: number, opened: number): void {
    if (found === known || (found > known && found === opened)) return;
    this.violate(`${who} is at ${what} ${found} after entry ${index}, another was at ${known}`);
  }

  private violate(text: string): void {
    this.violations.push({ checker: 'agreement', text });
  }

  /** All applied entries from the first on; membership entries without their data. */
  log(): TimedEntry[] {
    const log: TimedEntry[] = [];
    for (let index = 1; index < this.known.length; index++) {
      const known = this.known[index];
      if (known === undefined) {
        this.violate(`nobody was seen to apply entry ${index}`);
        break;
      }
      const { term, data, appliedMs, isMembership } = known;
      log.push({ index, term, data: isMembership ? new Uint8Array(0) : data, appliedMs });
    }
    return log;
  }
}
