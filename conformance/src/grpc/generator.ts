import { nextBelow, type Random } from '@quorate/base';
import type { Message } from './services.ts';

/** What the generator must know of the store to aim at its edges. */
export interface StoreView {
  revision: number;
  compactRevision: number;
}

export interface GeneratedCall {
  readonly method: string;
  readonly request: Message;
  /** Fields of the answer that differ by right. */
  readonly masked?: readonly string[];
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

const KEYS: readonly Buffer[] = [
  ...['a', 'b', 'c', 'aa', 'ab', 'abc', 'b\0', 'b\0\0', 'z', '\xff', '\xff\xff', '\0', '\0\0'],
  ...['k/1', 'k/2', 'k/3', 'k/10', 'k/2/x'],
].map(bytes);
/** More keys for transactions, so that not every one of them names a key twice. */
const TXN_KEYS: readonly Buffer[] = Array.from({ length: 40 }, (_, index) =>
  bytes(`t/${String.fromCharCode(97 + index)}`),
);
const VALUES: readonly Buffer[] = [
  '',
  'v',
  'w',
  'v1',
  'v2',
  '\0',
  '\xff',
  'longer value of some bytes',
  'x'.repeat(300),
].map(bytes);
const LEASES: readonly string[] = ['1', '2', '3', '4', '77', '-5', '7587864523871234567'];
const OPEN_END = bytes('\0');

const LEASE_TTL_STEP_SECONDS = 500;

export class Generator {
  private readonly random: Random;
  readonly view: StoreView;
  /** A delete to the open end is invisible to the overlap check of a txn; mixing it with puts is left out (it can crash upstream). */
  private txnMayPut = true;

  constructor(random: Random, view: StoreView) {
    this.random = random;
    this.view = view;
  }

  below(bound: number): number {
    return nextBelow(this.random, bound);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  private key(): Buffer {
    return this.chance(2) ? bytes('') : this.pick(KEYS);
  }

  private txnKey(): Buffer {
    return this.chance(1) && this.chance(30) ? bytes('') : this.chance(75) ? this.pick(TXN_KEYS) : this.pick(KEYS);
  }

  private prefixEnd(key: Buffer): Buffer {
    const end = Buffer.from(key);
    for (let at = end.length - 1; at >= 0; at--) {
      const byte = end[at] ?? 0;
      if (byte < 0xff) {
        end[at] = byte + 1;
        return end.subarray(0, at + 1);
      }
    }
    return OPEN_END;
  }

  /** key and range_end of every form: single, prefix, open, ordinary, empty, inverted. */
  interval(key: Buffer, openEnds = true): { key: Buffer; range_end: Buffer } {
    const interval = this.anyInterval(key);
    return openEnds || !interval.range_end.equals(OPEN_END) ? interval : { key, range_end: bytes('') };
  }

  private anyInterval(key: Buffer): { key: Buffer; range_end: Buffer } {
    const form = this.below(100);
    if (form < 40) return { key, range_end: bytes('') };
    if (form < 60) return { key, range_end: this.prefixEnd(key) };
    if (form < 72) return { key, range_end: OPEN_END };
    if (form < 80) return { key: OPEN_END, range_end: OPEN_END };
    if (form < 84) return { key, range_end: key };
    return { key, range_end: this.pick(KEYS) };
  }

  private readRevision(): number {
    const { revision, compactRevision } = this.view;
    const form = this.below(100);
    if (form < 50) return 0;
    if (form < 80) return compactRevision + this.below(Math.max(1, revision - compactRevision + 1));
    if (form < 88) return 1 + this.below(revision);
    if (form < 91) return revision + 1;
    if (form < 94) return compactRevision - 1;
    if (form < 97) return compactRevision;
    return -1;
  }

  /**
   * Not at or below the compacted revision: there the answer is that of the compaction's own hash, if it is done. Nor
   * negative, which upstream takes for a revision before all keys.
   */
  private hashRevision(): number {
    const { revision, compactRevision } = this.view;
    const above = revision - compactRevision;
    return this.chance(40) || above <= 0 ? 0 : compactRevision + 1 + this.below(above + 1);
  }

  private bound(percent: number): number {
    if (!this.chance(percent)) return 0;
    return Math.max(0, this.view.revision - this.below(60));
  }

  range(key = this.key(), options: { historyReads?: boolean; sorted?: boolean; wrongSorts?: boolean } = {}): Message {
    const sorted = options.sorted !== false;
    const wrong = options.wrongSorts !== false && this.chance(3);
    return {
      ...this.interval(key),
      limit: this.pick([0, 0, 0, 0, 1, 1, 2, 3, 5, 100, -1]),
      revision: options.historyReads === false ? 0 : this.readRevision(),
      sort_order: sorted ? (wrong && this.chance(50) ? 7 : this.pick([0, 0, 0, 1, 1, 2, 2])) : 0,
      sort_target: sorted ? (wrong ? 100 : this.pick([0, 0, 0, 1, 2, 3, 4])) : 0,
      serializable: this.chance(40),
      keys_only: this.chance(15),
      count_only: this.chance(8),
      min_mod_revision: sorted ? this.bound(8) : 0,
      max_mod_revision: sorted ? this.bound(8) : 0,
      min_create_revision: sorted ? this.bound(8) : 0,
      max_create_revision: sorted ? this.bound(8) : 0,
    };
  }

  put(key = this.key()): Message {
    const ignoreValue = this.chance(6);
    const ignoreLease = this.chance(6);
    return {
      key,
      value: ignoreValue && !this.chance(10) ? bytes('') : this.pick(VALUES),
      lease: this.chance(25) && !(ignoreLease && this.chance(90)) ? this.pick(LEASES) : '0',
      prev_kv: this.chance(30),
      ignore_value: ignoreValue,
      ignore_lease: ignoreLease,
    };
  }

  deleteRange(key = this.key(), openEnds = true): Message {
    // Mostly single keys: otherwise the store stays empty.
    const interval = this.chance(65) ? { key, range_end: bytes('') } : this.interval(key, openEnds);
    return { ...interval, prev_kv: this.chance(40) };
  }

  private compare(): Message {
    const target = this.chance(1) ? 9 : this.below(5);
    const key = this.txnKey();
    const kind = this.chance(3) ? this.below(5) : target;
    const revision = this.chance(30) ? 0 : Math.max(0, this.view.revision - this.below(40));
    const operand: Message =
      kind === 0
        ? { version: this.below(4) }
        : kind === 1
          ? { create_revision: revision }
          : kind === 2
            ? { mod_revision: revision }
            : kind === 3
              ? { value: this.pick(VALUES) }
              : kind === 4
                ? { lease: this.chance(50) ? '0' : this.pick(LEASES) }
                : {};
    return {
      result: this.chance(1) ? 9 : this.below(4),
      target,
      ...operand,
      ...(this.chance(25) ? this.interval(key) : { key }),
    };
  }

  private operation(depth: number): Message {
    const form = this.below(100);
    if (form < 1 && this.chance(40)) return {};
    if (form < 30) {
      const range = this.range(this.txnKey(), { historyReads: this.chance(15), wrongSorts: this.chance(5) });
      return { request_range: range };
    }
    if (form < 38 + depth * 40 && depth < 2) return { request_txn: this.txnBody(depth + 1) };
    if (form < 85 && this.txnMayPut) return { request_put: this.put(this.txnKey()) };
    return { request_delete_range: this.deleteRange(this.txnKey(), !this.txnMayPut) };
  }

  private operations(depth: number): Message[] {
    return Array.from({ length: this.pick([0, 1, 1, 2, 2, 3, 4]) }, () => this.operation(depth));
  }

  private txnBody(depth: number): Message {
    return {
      compare: Array.from({ length: this.pick([0, 0, 1, 1, 2, 3]) }, () => this.compare()),
      success: this.operations(depth),
      failure: this.operations(depth),
    };
  }

  txn(): Message {
    this.txnMayPut = !this.chance(12);
    return this.txnBody(0);
  }

  /** A transaction of ranges alone, which takes the read path. */
  readTxn(): Message {
    const ranges = (): Message[] =>
      Array.from({ length: this.below(4) }, () => ({
        request_range: this.range(this.txnKey(), { wrongSorts: this.chance(5) }),
      }));
    return {
      compare: Array.from({ length: this.below(3) }, () => this.compare()),
      success: ranges(),
      failure: ranges(),
    };
  }

  private grant(): Message {
    const index = this.below(LEASES.length);
    // Remaining times far enough apart that their order cannot depend on when the grant came.
    const ttl = this.chance(3) ? 9_000_000_001 : LEASE_TTL_STEP_SECONDS * (index + 2);
    return { ID: LEASES[index], TTL: ttl };
  }

  /** A call that changes something, if it succeeds. */
  write(): GeneratedCall {
    const form = this.below(1000);
    if (form < 330) return { method: 'KV.Put', request: this.put() };
    if (form < 440) return { method: 'KV.DeleteRange', request: this.deleteRange() };
    if (form < 860) return { method: 'KV.Txn', request: this.txn() };
    if (form < 930) return { method: 'Lease.LeaseGrant', request: this.grant() };
    if (form < 960) return { method: 'Lease.LeaseRevoke', request: { ID: this.chance(10) ? '0' : this.pick(LEASES) } };
    if (form < 975) return { method: 'KV.Compact', request: this.compact() };
    return { method: 'KV.Put', request: this.put() };
  }

  private compact(): Message {
    const { revision, compactRevision } = this.view;
    const form = this.below(10);
    const target =
      form < 6
        ? Math.max(1, compactRevision + this.below(Math.max(1, revision - compactRevision)))
        : form < 7
          ? revision + 1
          : form < 8
            ? Math.max(1, compactRevision)
            : form < 9
              ? Math.min(-1, compactRevision - 3)
              : revision;
    return { revision: target, physical: this.chance(50) };
  }

  /** A call that changes nothing. */
  read(): GeneratedCall {
    const form = this.below(1000);
    if (form < 690) return { method: 'KV.Range', request: this.range() };
    if (form < 860) return { method: 'KV.Txn', request: this.readTxn() };
    if (form < 900) {
      return {
        method: 'Lease.LeaseTimeToLive',
        request: { ID: this.pick(LEASES), keys: this.chance(60) },
        masked: ['TTL'],
      };
    }
    if (form < 925) return { method: 'Lease.LeaseLeases', request: {} };
    return { method: 'Maintenance.HashKV', request: { revision: this.hashRevision() } };
  }
}
