import type { etcdserverpb } from '@quorate/api';
import { latin1ToBytes, nextBelow, type Random } from '@quorate/base';
import type { KeyValueRequest } from '../../history/history.ts';
import type { ModelRequest } from '../state.ts';
import { compact, compare, del, grant, put, range, revoke, txn } from './requests.ts';

/** Valid requests by chance, about few keys; values never come twice. */
export class RandomRequests {
  private readonly random: Random;
  private readonly keyCount: number;
  private values = 0;

  constructor(random: Random, keyCount: number) {
    this.random = random;
    this.keyCount = keyCount;
  }

  private below(bound: number): number {
    return nextBelow(this.random, bound);
  }

  private chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  /** Of a kind that goes through the log. @param revision about the present one. */
  write(revision: number): ModelRequest {
    const kind = this.below(100);
    if (kind < 50) return this.put(this.key());
    if (kind < 65) return this.delete();
    if (kind < 90) return this.txn(revision);
    if (kind < 93) return compact(1 + this.below(revision + 1));
    return kind < 97 ? grant(this.lease()) : revoke(this.lease());
  }

  range(revision: number): KeyValueRequest {
    const [key, end] = this.interval();
    return range(key, end, {
      limit: this.chance(2) ? 0 : this.below(4),
      revision: this.chance(4) ? this.below(revision + 1) : 0,
      sortOrder: this.below(3),
      sortTarget: this.below(5),
      keysOnly: this.chance(5),
      countOnly: this.chance(8),
      minModRevision: this.chance(5) ? this.below(revision) : 0,
      maxCreateRevision: this.chance(5) ? this.below(revision) : 0,
    });
  }

  private key(): string {
    return `k${this.below(this.keyCount)}`;
  }

  private lease(): bigint {
    return BigInt(1 + this.below(3));
  }

  private interval(): [string, string] {
    const kind = this.below(4);
    if (kind === 0) return [this.key(), '\0'];
    return [this.key(), kind === 1 ? this.key() : ''];
  }

  private put(key: string): KeyValueRequest {
    this.values += 1;
    const prevKv = this.chance(2);
    const lease = this.chance(4) ? this.lease() : 0n;
    if (this.chance(12)) return put(key, '', { prevKv, ignoreValue: true, lease });
    return put(key, `v${this.values}`, this.chance(12) ? { prevKv, ignoreLease: true } : { prevKv, lease });
  }

  private delete(): KeyValueRequest {
    const [key, end] = this.interval();
    return del(key, end, this.chance(2));
  }

  private txn(revision: number): KeyValueRequest {
    const compares = Array.from({ length: this.below(3) }, () => this.compare(revision));
    return txn(compares, this.branch(revision, 1), this.branch(revision, 1));
  }

  /** No key is changed twice in it. */
  private branch(revision: number, depth: number): KeyValueRequest[] {
    const free = Array.from({ length: this.keyCount }, (_, i) => `k${i}`);
    const take = () => free.splice(this.below(free.length), 1)[0];
    return Array.from({ length: this.below(4) }, () => {
      const key = take();
      const kind = this.below(4 + depth);
      if (kind === 0 || key === undefined) return this.range(revision);
      if (kind === 1) return del(key, '', this.chance(2));
      if (kind === 4) return txn([this.compare(revision)], [this.put(key)], [del(key)]);
      return this.put(key);
    });
  }

  private compare(revision: number): etcdserverpb.Compare {
    const fields = { result: this.below(4), rangeEnd: latin1ToBytes(this.chance(4) ? '\0' : '') };
    const key = this.key();
    switch (this.below(5)) {
      case 0:
        return compare('VERSION', key, { ...fields, version: this.below(3) });
      case 1:
        return compare('CREATE', key, { ...fields, createRevision: this.below(revision) });
      case 2:
        return compare('VALUE', key, { ...fields, value: latin1ToBytes(`v${this.below(this.values + 1)}`) });
      case 3:
        return compare('LEASE', key, { ...fields, lease: BigInt(this.below(3)) });
      default:
        return compare('MOD', key, { ...fields, modRevision: this.below(revision) });
    }
  }
}
