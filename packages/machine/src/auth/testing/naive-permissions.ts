import type { etcdserverpb } from '@quorate/api';
import { latin1FromBytes } from '@quorate/base';

/** A grant on keys in [key, end); the end is open when it is undefined. */
export interface NaiveGrant {
  readonly reads: boolean;
  readonly writes: boolean;
  readonly key: string;
  readonly rangeEnd: string;
}

/**
 * Permissions as sets of keys: everything happens over a handful of keys of one letter, so an interval is the list of those in it, and
 * what lies between them or behind all is one more key each.
 */
export class NaivePermissions {
  private readonly readable: ReadonlySet<string>;
  private readonly writable: ReadonlySet<string>;
  private readonly keys: readonly string[];
  private readonly keysOfLease: (lease: bigint) => readonly string[];

  constructor(
    letters: readonly string[],
    grants: readonly NaiveGrant[],
    keysOfLease: (lease: bigint) => readonly string[],
  ) {
    this.keys = [...letters.flatMap((letter) => [letter, `${letter}+`]), '\xff'];
    this.readable = new Set(grants.filter(({ reads }) => reads).flatMap((one) => this.inside(one.key, one.rangeEnd)));
    this.writable = new Set(grants.filter(({ writes }) => writes).flatMap((one) => this.inside(one.key, one.rangeEnd)));
    this.keysOfLease = keysOfLease;
  }

  private inside(key: string, rangeEnd: string): readonly string[] {
    if (rangeEnd === '') return [key];
    return this.keys.filter((one) => one >= key && (rangeEnd === '\0' || one < rangeEnd));
  }

  private allows(keys: ReadonlySet<string>, key: Uint8Array, rangeEnd: Uint8Array): boolean {
    const [from, end] = [latin1FromBytes(key), latin1FromBytes(rangeEnd)];
    return this.inside(from, end).every((one) => keys.has(one));
  }

  private allowsPut({ key, lease, prevKv }: etcdserverpb.PutRequest): boolean {
    return (
      this.writable.has(latin1FromBytes(key)) &&
      (!prevKv || this.readable.has(latin1FromBytes(key))) &&
      this.keysOfLease(lease).every((one) => this.writable.has(one))
    );
  }

  allowsTxn({ compare, success, failure }: etcdserverpb.TxnRequest): boolean {
    const operations = [...success, ...failure];
    return (
      compare.every(({ key, rangeEnd }) => this.allows(this.readable, key, rangeEnd)) &&
      operations.every((operation) => this.allowsOperation(operation))
    );
  }

  private allowsOperation({
    requestRange,
    requestPut,
    requestDeleteRange,
    requestTxn,
  }: etcdserverpb.RequestOp): boolean {
    if (requestRange !== undefined) return this.allows(this.readable, requestRange.key, requestRange.rangeEnd);
    if (requestPut !== undefined) return this.allowsPut(requestPut);
    if (requestTxn !== undefined) return this.allowsTxn(requestTxn);
    if (requestDeleteRange === undefined) return true;
    const { key, rangeEnd, prevKv } = requestDeleteRange;
    return this.allows(this.writable, key, rangeEnd) && (!prevKv || this.allows(this.readable, key, rangeEnd));
  }
}
