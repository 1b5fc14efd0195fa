import type { History, Operation } from '../history/history.ts';
import { nameOf } from './operations.ts';

/** Something that somebody outside knew at a time. */
export interface Known {
  readonly atMs: number;
  readonly value: number;
  readonly from: string;
}

/** The largest of what was known before a time that only goes on. */
export class Floor {
  private readonly known: Known[];
  private next = 0;
  largest: Known = { atMs: -Infinity, value: 0, from: 'the beginning' };

  constructor(known: Known[]) {
    this.known = known.sort((a, b) => a.atMs - b.atMs);
  }

  /** Takes in all from before a time; what came at that very time may have come after. */
  advance(timeMs: number): void {
    for (; this.next < this.known.length; this.next++) {
      const known = this.known[this.next] as Known;
      if (known.atMs >= timeMs) return;
      if (known.value > this.largest.value) this.largest = known;
    }
  }
}

/** The revision that a call's answer tells. */
export function revisionOf({ outcome }: Operation): number | undefined {
  return outcome.kind === 'ok' ? outcome.response.message.header?.revision : undefined;
}

/** The revisions that clients heard of, by answers and by watches, and when. */
export function knownRevisions({ operations, watches }: History): Known[] {
  const known: Known[] = [];
  for (const operation of operations) {
    const revision = revisionOf(operation);
    if (revision !== undefined) known.push({ atMs: operation.returnedMs, value: revision, from: nameOf(operation) });
  }
  for (const { id, responses } of watches) {
    for (const { atMs, message } of responses) {
      const last = message.events.at(-1)?.kv?.modRevision ?? 0;
      known.push({ atMs, value: Math.max(message.header?.revision ?? 0, last), from: `watch ${id}` });
    }
  }
  return known;
}
