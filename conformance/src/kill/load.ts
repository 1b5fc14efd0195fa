import { nextBelow, type Random } from '@quorate/base';
import type { Connection } from '../grpc/connection.ts';
import type { Message } from '../grpc/services.ts';
import { applyChanges, type Change, changesAnything, type State } from './model.ts';

/** An acknowledged change, to be read again at its own revision. */
export interface Acknowledged {
  readonly revision: number;
  readonly key: string;
  /** undefined for a delete. */
  readonly value: string | undefined;
}

interface Request {
  readonly method: string;
  readonly request: Message;
  readonly changes: readonly Change[];
}

const KEYS_PER_WORKER = 8;
const GROUP_KEYS = 4;
const LARGE_VALUE_BYTES = 70_000;
const RECENT_MAX = 40;

function pickInt(random: Random, bound: number): number {
  return nextBelow(random, bound);
}

/**
 * A client with its own keys and one request in flight at a time: after a crash its keys are either as after the last
 * acknowledged request or as after the one in flight, and nothing between.
 */
export class Worker {
  readonly prefix: string;
  readonly lease: string;
  state: State = new Map();
  /** The request in flight when the server went. */
  pending: readonly Change[] | undefined;
  /** Acknowledged requests of this round that moved the revision. */
  revisions: number[] = [];
  recent: Acknowledged[] = [];
  acknowledgedCompaction = 0;
  requests = 0;
  /** Revision the lease was last granted or revoked in; it is granted anew when missing. */
  private leaseHeld = false;
  private sequence = 0;
  private readonly index: number;
  private readonly random: Random;

  constructor(index: number, random: Random) {
    this.index = index;
    this.random = random;
    this.prefix = `w${index}/`;
    this.lease = String(9000 + index);
  }

  private key(): string {
    return `${this.prefix}k${pickInt(this.random, KEYS_PER_WORKER)}`;
  }

  private value(): string {
    const text = `${this.index}:${++this.sequence}:`;
    return pickInt(this.random, 60) === 0 ? text.padEnd(LARGE_VALUE_BYTES, 'x') : text;
  }

  private put(): Request {
    const change: Change = {
      kind: 'put',
      key: this.key(),
      value: this.value(),
      lease: this.leaseHeld && pickInt(this.random, 5) === 0 ? this.lease : '0',
    };
    return { method: 'KV.Put', request: putRequest(change), changes: [change] };
  }

  private remove(): Request {
    const key = this.key();
    return {
      method: 'KV.DeleteRange',
      request: { key: Buffer.from(key) },
      changes: [{ kind: 'delete', key }],
    };
  }

  /** Keys written together, and one deleted: all or nothing. */
  private group(): Request {
    const value = this.value();
    const puts = Array.from({ length: GROUP_KEYS }, (_, index): Change & { kind: 'put' } => ({
      kind: 'put',
      key: `${this.prefix}g${index}`,
      value,
      lease: '0',
    }));
    const removed = this.key();
    const success = [
      ...puts.map((change) => ({ request_put: putRequest(change) })),
      { request_delete_range: { key: Buffer.from(removed) } },
    ];
    return {
      method: 'KV.Txn',
      request: { compare: [{ key: Buffer.from(`${this.prefix}none`), target: 0, version: 0 }], success },
      changes: [...puts, { kind: 'delete', key: removed }],
    };
  }

  private revoke(): Request {
    return {
      method: 'Lease.LeaseRevoke',
      request: { ID: this.lease },
      changes: [{ kind: 'revoke', lease: this.lease }],
    };
  }

  private next(): Request {
    const form = pickInt(this.random, 100);
    if (form < 55) return this.put();
    if (form < 68) return this.remove();
    if (form < 97 || !this.leaseHeld) return this.group();
    return this.revoke();
  }

  /** Works until the server is gone or `stop` says so. Throws on an answer that no crash explains. */
  async run(connection: Connection, stop: () => boolean): Promise<void> {
    this.revisions = [];
    this.pending = undefined;
    await this.ensureLease(connection);
    while (!stop()) {
      const request = this.next();
      this.pending = request.changes;
      const answer = await connection.unary(request.method, request.request);
      if (!answer.ok) {
        if (isLost(answer.code)) return;
        throw new Error(`${request.method}: ${answer.code} ${answer.details}`);
      }
      this.acknowledge(request, Number((answer.message.header as Message).revision));
      if (this.index === 0 && pickInt(this.random, 80) === 0) await this.compact(connection);
      if (!this.leaseHeld) await this.ensureLease(connection);
    }
  }

  private acknowledge(request: Request, revision: number): void {
    this.requests++;
    this.pending = undefined;
    if (changesAnything(this.state, request.changes)) this.revisions.push(revision);
    this.state = applyChanges(this.state, request.changes, revision);
    for (const change of request.changes) {
      if (change.kind === 'revoke') this.leaseHeld = false;
      else this.recent.push({ revision, key: change.key, value: change.kind === 'put' ? change.value : undefined });
    }
    if (this.recent.length > RECENT_MAX) this.recent.splice(0, this.recent.length - RECENT_MAX);
  }

  private async ensureLease(connection: Connection): Promise<void> {
    const answer = await connection.unary('Lease.LeaseGrant', { ID: this.lease, TTL: 100_000 });
    if (answer.ok || answer.details === 'etcdserver: lease already exists') this.leaseHeld = true;
    else if (!isLost(answer.code)) throw new Error(`grant: ${answer.code} ${answer.details}`);
  }

  private async compact(connection: Connection): Promise<void> {
    const newest = this.revisions.at(-1) ?? 0;
    const revision = newest - 20;
    if (revision <= this.acknowledgedCompaction) return;
    const answer = await connection.unary('KV.Compact', { revision });
    if (answer.ok) this.acknowledgedCompaction = revision;
    else if (!isLost(answer.code) && answer.code !== 'OUT_OF_RANGE') throw new Error(`compact: ${answer.details}`);
  }

  /** After a crash the lease may or may not be there. */
  forgetLease(): void {
    this.leaseHeld = false;
  }
}

function putRequest(change: Change & { kind: 'put' }): Message {
  return { key: Buffer.from(change.key), value: Buffer.from(change.value), lease: change.lease };
}

function isLost(code: string): boolean {
  return code === 'UNAVAILABLE' || code === 'CANCELLED' || code === 'DEADLINE_EXCEEDED' || code === 'INTERNAL';
}
