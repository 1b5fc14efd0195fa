import { emptyBytes } from '../entry.ts';
import type { Message } from '../message.ts';
import { type JointVoters, jointCommittedIndex } from '../quorum/joint.ts';

interface PendingRead {
  readonly request: Message;
  /** Commit index when the request came: what it may be answered with. */
  readonly index: number;
}

/** Reads that wait for confirmation; more are dropped, and tried again by who asked. */
export const PENDING_READS_MAX = 100_000;

/**
 * Safe read requests of one leadership, oldest first (section 6.4 of Ongaro's thesis). Each gets a token that is never
 * used again; the heartbeats that are to confirm it carry it, and come back with it. The request's own context would not
 * do: a request may be repeated with the same context, and a late answer to the first would confirm the second.
 *
 * Who answers a heartbeat confirms all that came before that heartbeat. So an answer counts for its token and all below, and
 * what a quorum answered is, as with log entries, the highest token that enough voters have reached.
 */
export class ReadOnlyQueue {
  private pending: PendingRead[] = [];
  /** Token of `pending[0]`; the others follow. Terms tell tokens of different leaderships apart. */
  private firstToken = 1;
  /** The highest token that each node answered. */
  private readonly answered = new Map<bigint, number>();
  private readonly answeredBy = (id: bigint): number | undefined => this.answered.get(id);

  get count(): number {
    return this.pending.length;
  }

  /** Takes a request in; false when there are too many. */
  add(request: Message, index: number, self: bigint): boolean {
    if (this.pending.length >= PENDING_READS_MAX) return false;
    this.pending.push({ request, index });
    this.answered.set(self, this.lastToken());
    return true;
  }

  private lastToken(): number {
    return this.firstToken + this.pending.length - 1;
  }

  /** Heartbeat context of the newest request; empty when there is none. */
  lastContext(): Uint8Array {
    return this.pending.length === 0 ? emptyBytes : encodeToken(this.lastToken());
  }

  /** Notes an answer to a heartbeat with that context, and takes out the reads that are now confirmed. */
  acknowledge(from: bigint, context: Uint8Array, voters: JointVoters): readonly PendingRead[] {
    // Nobody can have answered what was not sent yet.
    const token = Math.min(decodeToken(context), this.lastToken());
    this.answered.set(from, Math.max(this.answered.get(from) ?? 0, token));
    const confirmed = jointCommittedIndex(voters, this.answeredBy);
    const released = this.pending.slice(0, Math.max(0, confirmed - this.firstToken + 1));
    if (released.length > 0) {
      this.pending = this.pending.slice(released.length);
      this.firstToken += released.length;
    }
    return released;
  }
}

/** 8 bytes, big-endian, the size that servers use for request ids. */
function encodeToken(token: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(token / 0x1_0000_0000));
  view.setUint32(4, token >>> 0);
  return bytes;
}

/** 0, which is nobody's, for anything that is not a token. */
function decodeToken(bytes: Uint8Array): number {
  if (bytes.length !== 8) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4);
}
