/** What an entry carries. Numbers of the protocol's `EntryType`. */
export const EntryType = {
  /** Data of the application. Without data it is the first entry of a leader's term, or takes the place of a refused change. */
  Normal: 0,
  /** A change of one node, as `encodeConfChange` writes it. */
  ConfChange: 1,
  /** A change of several nodes, as `encodeConfChangeV2` writes it. */
  ConfChangeV2: 2,
} as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

const entryTypeNames = ['EntryNormal', 'EntryConfChange', 'EntryConfChangeV2'] as const;

/** The protocol's name of a type: `EntryNormal`, `EntryConfChange`, `EntryConfChangeV2`. */
export function entryTypeName(type: EntryType): string {
  return entryTypeNames[type] ?? String(type);
}

/** One entry of the replicated log. Once it has an index it is shared and never changed. */
export interface Entry {
  /** Term of the leader that made it. A safe integer. */
  readonly term: number;
  /** Its place in the log, from 1 on. A safe integer. */
  readonly index: number;
  /** What `data` is. */
  readonly type: EntryType;
  /** Opaque to raft, except that of configuration changes. The log keeps it without a copy: it must not change. */
  readonly data: Uint8Array;
}

/** An entry as it is proposed: normal and without data unless said otherwise. Raft gives it term and index. */
export type EntryInit = Partial<Entry>;

/** No bytes. */
export const emptyBytes: Uint8Array = new Uint8Array(0);

/** The one place where entries are made, so that all have the same hidden class. */
export function createEntry(term: number, index: number, type: EntryType, data: Uint8Array): Entry {
  return { term, index, type, data };
}

/** Bytes of a protobuf varint. */
function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  let size = 5;
  for (let rest = Math.floor(value / 0x8_0000_0000); rest > 0; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/**
 * Bytes of the entry in protobuf, the measure of all size limits: term and index are always written, the type unless it
 * is normal, the data unless it is empty.
 */
export function entrySize(entry: Entry): number {
  const length = entry.data.length;
  return (
    2 +
    varintSize(entry.term) +
    varintSize(entry.index) +
    (entry.type === EntryType.Normal ? 0 : 2) +
    (length === 0 ? 0 : 1 + varintSize(length) + length)
  );
}

/** Protobuf bytes of all entries together, without the tags around them. */
export function entriesSize(entries: readonly Entry[]): number {
  let size = 0;
  for (let i = 0; i < entries.length; i++) size += entrySize(entries[i] as Entry);
  return size;
}

/** Bytes of data alone: the measure of the limit on what is not yet committed, and of what is in flight. */
export function payloadsSize(entries: readonly Entry[]): number {
  let size = 0;
  for (let i = 0; i < entries.length; i++) size += (entries[i] as Entry).data.length;
  return size;
}

/**
 * How many entries of `entries[start, end)` fit into `maxSize` bytes: as many as do, but at least one if there is one,
 * so that an entry above the limit still passes alone.
 */
export function countWithinSize(entries: readonly Entry[], start: number, end: number, maxSize: number): number {
  if (maxSize === Number.POSITIVE_INFINITY || end <= start) return Math.max(0, end - start);
  let size = entrySize(entries[start] as Entry);
  let i = start + 1;
  for (; i < end; i++) {
    size += entrySize(entries[i] as Entry);
    if (size > maxSize) break;
  }
  return i - start;
}
