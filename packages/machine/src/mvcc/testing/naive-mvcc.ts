import type { etcdserverpb, mvccpb } from '@quorate/api';

/** One record, as simply as can be. Keys and values are latin1 text. */
export interface NaiveRecord {
  readonly main: number;
  readonly sub: number;
  readonly tombstone: boolean;
  readonly key: string;
  readonly value: string;
  readonly create: number;
  readonly version: number;
  readonly lease: bigint;
}

export interface NaiveRange {
  readonly kvs: NaiveRecord[];
  readonly count: number;
  readonly more: boolean;
}

/** The store's dumb twin: a list of all records ever written, read from its beginning each time. */
export class NaiveMvcc {
  records: NaiveRecord[] = [];
  current = 1;
  compacted = -1;
  private sub = 0;

  begin(): void {
    this.sub = 0;
  }

  end(): void {
    if (this.sub > 0) this.current += 1;
  }

  /** The state at a revision; the open transaction's changes count as one above the current revision. */
  stateAt(revision: number): Map<string, NaiveRecord> {
    const state = new Map<string, NaiveRecord>();
    for (const record of this.records) {
      if (record.main > revision) break;
      if (record.tombstone) state.delete(record.key);
      else state.set(record.key, record);
    }
    return new Map([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  now(): Map<string, NaiveRecord> {
    return this.stateAt(Number.MAX_SAFE_INTEGER);
  }

  put(key: string, value: string, lease: bigint): void {
    const before = this.now().get(key);
    const main = this.current + 1;
    const create = before?.create ?? main;
    const version = (before?.version ?? 0) + 1;
    this.records.push({ main, sub: this.sub++, tombstone: false, key, value, create, version, lease });
  }

  delete(isInside: (key: string) => boolean): NaiveRecord[] {
    const main = this.current + 1;
    const gone = [...this.now().values()].filter((record) => isInside(record.key));
    for (const { key } of gone) {
      this.records.push({ main, sub: this.sub++, tombstone: true, key, value: '', create: 0, version: 0, lease: 0n });
    }
    return gone;
  }

  compact(revision: number): void {
    this.compacted = revision;
    this.records = this.records.filter((record) => this.isKept(record, revision));
  }

  range(request: etcdserverpb.RangeRequest, isInside: (key: string) => boolean): NaiveRange {
    const at = request.revision > 0 ? request.revision : Number.MAX_SAFE_INTEGER;
    const all = [...this.stateAt(at).values()].filter((record) => isInside(record.key));
    if (request.countOnly) return { kvs: [], count: all.length, more: false };
    const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision, limit } = request;
    const hasFilter = minModRevision + maxModRevision + minCreateRevision + maxCreateRevision !== 0;
    const isDefault = request.sortOrder === 0 || (request.sortOrder === 1 && request.sortTarget === 0);
    let kvs = isDefault && !hasFilter && limit > 0 ? all.slice(0, limit + 1) : all;
    kvs = kvs.filter(
      ({ main, create }) =>
        (minModRevision === 0 || main >= minModRevision) &&
        (maxModRevision === 0 || main <= maxModRevision) &&
        (minCreateRevision === 0 || create >= minCreateRevision) &&
        (maxCreateRevision === 0 || create <= maxCreateRevision),
    );
    const field = (['key', 'version', 'create', 'main', 'value'] as const)[request.sortTarget] ?? 'key';
    const sign = request.sortOrder === 2 ? -1 : 1;
    kvs.sort((a, b) => (a[field] < b[field] ? -sign : a[field] > b[field] ? sign : 0));
    const more = limit > 0 && kvs.length > limit;
    return { kvs: more ? kvs.slice(0, limit) : kvs, count: all.length, more };
  }

  /** Whether a compaction at `revision` leaves the record. */
  isKept(record: NaiveRecord, revision: number): boolean {
    if (record.main > revision || (record.tombstone && record.main === revision)) return true;
    return !record.tombstone && this.stateAt(revision).get(record.key) === record;
  }
}

/** What a client gets of the record. */
export function naiveKeyValue(record: NaiveRecord, keysOnly: boolean): Partial<mvccpb.KeyValue> & { text: string } {
  return {
    text: record.key,
    createRevision: record.create,
    modRevision: record.main,
    version: record.version,
    lease: keysOnly ? 0n : record.lease,
  };
}
