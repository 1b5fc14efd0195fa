import { emptyBytes } from '../entry.ts';
import type { Message } from '../message.ts';

interface PendingRead {
  readonly request: Message;
  /** Commit index when the request came: what it may be answered with. */
  readonly index: number;
  /** Who answered a heartbeat that was sent after the request came. */
  readonly acks: Set<bigint>;
}

/** Reads that wait for confirmation; more are dropped, and tried again by who asked. */
export const PENDING_READS_MAX = 100_000;

/**
 * Safe read requests of one leadership, oldest first (section 6.4 of Ongaro's thesis). Each gets a token that is never
 * used again; the heartbeats that are to confirm it carry it, and come back with it. The request's own context would not
 * do: a request may be repeated with the same context, and a late answer to the first would confirm the second.
 */
export class ReadOnlyQueue {
  private pending: PendingRead[] = [];
  /** Token of `pending[0]`; the others follow. Terms tell tokens of different leaderships apart. */
  private firstToken = 1;

  get count(): number {
    return this.pending.length;
  }

  /** Takes a request in; false when there are too many. */
  add(request: Message, index: number, self: bigint): boolean {
    if (this.pending.length >= PENDING_READS_MAX) return false;
    this.pending.push({ request, index, acks: new Set([self]) });
    return true;
  }

  /** Heartbeat context of the newest request; empty when there is none. It confirms all before it as well. */
  lastContext(): Uint8Array {
    return this.pending.length === 0 ? emptyBytes : encodeToken(this.firstToken + this.pending.length - 1);
  }

  /** Notes an answer; returns all who answered for that request, undefined when it is not (or no longer) waiting. */
  acknowledge(from: bigint, context: Uint8Array): ReadonlySet<bigint> | undefined {
    const acks = this.pending[decodeToken(context) - this.firstToken]?.acks;
    acks?.add(from);
    return acks;
  }

  /** Takes out that request and all older ones. */
  release(context: Uint8Array): readonly PendingRead[] {
    const count = decodeToken(context) - this.firstToken + 1;
    const released = this.pending.slice(0, count);
    this.pending = this.pending.slice(count);
    this.firstToken += count;
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
