import type { ErrorSymbol } from '@quorate/api';
import { equalBytes } from '@quorate/base';
import { readOldRequest } from '@quorate/machine';
import { type Entry, EntryType } from '@quorate/raft';
import type { TimedEntry, Violation } from '../history/history.ts';

/** What a member stands at. */
export interface StandPoint {
  readonly revision: number;
  readonly authRevision: number;
  /** Who votes and who learns, as raft has it. */
  readonly configuration: string;
}

/** What becomes of an entry. */
export interface Outcome extends StandPoint {
  /** Why it was refused; undefined when it was done. */
  readonly refusal: ErrorSymbol | undefined;
}

interface Known extends TimedEntry, Outcome {
  readonly isMembership: boolean;
}

/** What the model of keys does not know. */
const authRefusals = new Set<ErrorSymbol>([
  'ErrGRPCPermissionDenied',
  'ErrGRPCAuthOldRevision',
  'ErrGRPCUserEmpty',
  'ErrGRPCInvalidAuthToken',
]);

/** A member whose database is over the quota says that there is no space when it has done what it was asked. Members differ in size. */
function toldOf(refusal: ErrorSymbol | undefined): ErrorSymbol | undefined {
  return refusal === 'ErrGRPCNoSpace' ? undefined : refusal;
}

/** Holds what members apply against what others applied at the same index: the same entry, and the same revision from it. */
export class Agreement {
  /** By index. */
  private readonly known: (Known | undefined)[] = [];
  /** The last entry that each machine has applied. */
  private readonly reached = new Map<string, number>();
  readonly violations: Violation[] = [];

  /** @param opened where the member stood when this life of its machine began. */
  applied(who: string, atMs: number, entry: Entry, now: Outcome, opened: StandPoint): void {
    const { index, term, data } = entry;
    const isFirstTime = index > (this.reached.get(who) ?? 0);
    if (isFirstTime) this.reached.set(who, index);
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
    // Who goes through an entry again may have what it does already, and then nothing is judged.
    if (isFirstTime && toldOf(known.refusal) !== toldOf(now.refusal)) {
      this.violate(
        `${who} answers entry ${index} with ${now.refusal ?? 'success'}, another with ${known.refusal ?? 'success'}`,
      );
    }
    // Of a change itself it is not known yet what came of it.
    if (isFirstTime && !known.isMembership && known.configuration !== now.configuration) {
      this.violate(`${who} has members ${now.configuration} after entry ${index}, another has ${known.configuration}`);
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

  /**
   * All applied entries from the first on; without data where they do nothing to keys: changes of membership, attributes in the form of version
   * 2 (of a member whose database forgot the cluster's version), and what a user may not.
   */
  log(): TimedEntry[] {
    const log: TimedEntry[] = [];
    for (let index = 1; index < this.known.length; index++) {
      const known = this.known[index];
      if (known === undefined) {
        this.violate(`nobody was seen to apply entry ${index}`);
        break;
      }
      const { term, data, appliedMs, isMembership, refusal } = known;
      const isRefused = refusal !== undefined && authRefusals.has(refusal);
      const isNothing = isMembership || isRefused || readOldRequest(data) !== undefined;
      log.push({
        index,
        term,
        data: isNothing ? new Uint8Array(0) : data,
        appliedMs,
        isRefused: refusal !== undefined,
      });
    }
    return log;
  }
}
