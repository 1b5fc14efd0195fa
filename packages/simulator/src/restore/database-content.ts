import { leasepb, mvccpb } from '@quorate/api';
import { type Clock, copyBytes, latin1FromBytes, latin1ToBytes, MemoryDisk, readUint64BE } from '@quorate/base';
import { Database } from '@quorate/bbolt';
import { type BackendReader, BucketId, MetaKey, openBackend, type PlainBucketId } from '@quorate/storage';

/** A record of bucket `key`. */
export interface KeyRecord {
  readonly main: number;
  readonly sub: number;
  readonly isTombstone: boolean;
  readonly keyValue: mvccpb.KeyValue;
}

/** What a database says, read record by record: none of the members' own indexes is asked. */
export interface DatabaseContent {
  /** The entry of the log up to which it holds everything. */
  readonly index: number;
  readonly revision: number;
  /** The revision of the last compaction that was begun, -1 for none; and of the last that came to its end. */
  readonly compactRevision: number;
  readonly finishedCompactRevision: number;
  /** Ascending by revision. */
  readonly records: readonly KeyRecord[];
  /** What each lease has at least when a leader begins: as granted, or what a checkpoint left it. In seconds, by id. */
  readonly leases: ReadonlyMap<bigint, number>;
  readonly users: readonly string[];
  readonly areUsersAsked: boolean;
  readonly alarms: number;
  /** What the check of the file's pages complains of. */
  readonly problems: readonly string[];
}

const path = '/db';
const nothing = new Uint8Array(0);

/** Reads a database file, on a disk of its own. @throws what opening it throws */
export async function readDatabase(clock: Clock, bytes: Uint8Array): Promise<DatabaseContent> {
  const disk = new MemoryDisk();
  const file = await disk.open(path, { write: true, create: true });
  await file.write([bytes], 0);
  await file.close();
  const database = await Database.open({ disk, clock }, path, { readOnly: true, lockTimeoutMs: 0 });
  const { errors: problems } = await database.check();
  await database.close();
  let failure: unknown;
  const onFatal = (error: unknown) => {
    failure = error;
  };
  const backend = await openBackend({ disk, clock }, path, { onFatal });
  const content = { ...contentOf(backend), index: backend.consistentIndex, problems };
  await backend.close();
  if (failure !== undefined) throw failure;
  return content;
}

function contentOf(backend: BackendReader): Omit<DatabaseContent, 'index' | 'problems'> {
  const records: KeyRecord[] = [];
  backend.rangeRevisions(0, 0, Number.MAX_SAFE_INTEGER, (main, sub, isTombstone, value) => {
    records.push({ main, sub, isTombstone, keyValue: mvccpb.KeyValue.decode(copyBytes(value)) });
    return true;
  });
  const leases = new Map<bigint, number>();
  for (const value of valuesOf(backend, BucketId.lease)) {
    const { id, ttl, remainingTtl } = leasepb.Lease.decode(value);
    leases.set(id, remainingTtl > 0 ? remainingTtl : ttl);
  }
  const users: string[] = [];
  backend.range(BucketId.authUsers, nothing, undefined, Number.MAX_SAFE_INTEGER, (key) => {
    users.push(latin1FromBytes(key));
    return true;
  });
  const scheduled = markOf(backend, MetaKey.scheduledCompactRevision);
  const finishedCompactRevision = markOf(backend, MetaKey.finishedCompactRevision);
  const compactRevision = Math.max(scheduled, finishedCompactRevision);
  return {
    revision: Math.max(1, compactRevision, records.at(-1)?.main ?? 0),
    ...{ compactRevision, finishedCompactRevision, records, leases, users },
    areUsersAsked: backend.get(BucketId.auth, latin1ToBytes('authEnabled'))?.[0] === 1,
    alarms: valuesOf(backend, BucketId.alarm).length,
  };
}

function valuesOf(backend: BackendReader, bucket: PlainBucketId): Uint8Array[] {
  const values: Uint8Array[] = [];
  backend.range(bucket, nothing, undefined, Number.MAX_SAFE_INTEGER, (_key, value) => {
    values.push(copyBytes(value));
    return true;
  });
  return values;
}

/** Of a compaction, -1 when there was none. */
function markOf(backend: BackendReader, name: string): number {
  const mark = backend.get(BucketId.meta, latin1ToBytes(name));
  return mark === undefined ? -1 : readUint64BE(mark, 0);
}

/** The keys that there are, by name: the last record of each that is no deletion. */
export function liveKeys({ records }: Pick<DatabaseContent, 'records'>): Map<string, mvccpb.KeyValue> {
  const live = new Map<string, mvccpb.KeyValue>();
  for (const { isTombstone, keyValue } of records) {
    const name = latin1FromBytes(keyValue.key);
    if (isTombstone) live.delete(name);
    else live.set(name, keyValue);
  }
  return live;
}
