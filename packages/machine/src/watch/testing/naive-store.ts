import { writeVarint } from '@quorate/api';
import { copyBytes, latin1ToBytes } from '@quorate/base';
import { type ChangeSink, EventType, type History, type StoreEvent } from '../../mvcc/contract.ts';

interface Change {
  readonly revision: number;
  readonly event: StoreEvent;
}

export type NaiveOperation = { readonly put: string; readonly value: string } | { readonly delete: string };

/** A store that keeps a plain list of all changes for ever: the dumb twin of watch tests. */
export class NaiveStore implements History {
  currentRevision = 1;
  compactRevision = -1;
  readonly changes: Change[] = [];
  private readonly live = new Map<string, { create: number; version: number }>();
  private sink: ChangeSink | undefined = undefined;

  /** What the hub reads. */
  get history(): History {
    return this;
  }

  setSink(sink: ChangeSink): void {
    this.sink = sink;
  }

  /** A store with the same past and no sink: a leader's snapshot. */
  copy(): NaiveStore {
    return Object.assign(new NaiveStore(), this, { sink: undefined });
  }

  /** One write transaction; operations that change nothing are left out. */
  write(operations: readonly NaiveOperation[]): void {
    const revision = this.currentRevision + 1;
    const events: StoreEvent[] = [];
    for (const operation of operations) {
      if ('put' in operation) {
        const before = this.live.get(operation.put);
        const now = { create: before?.create ?? revision, version: (before?.version ?? 0) + 1 };
        this.live.set(operation.put, now);
        events.push({
          type: EventType.put,
          key: operation.put,
          keyValue: encodeKeyValue(operation.put, now.create, revision, now.version, operation.value),
          isCreate: before === undefined,
        });
      } else if (this.live.delete(operation.delete)) {
        events.push({
          type: EventType.delete,
          key: operation.delete,
          keyValue: encodeKeyValue(operation.delete, 0, revision, 0, ''),
          isCreate: false,
        });
      }
    }
    if (events.length === 0) return;
    this.currentRevision = revision;
    for (const event of events) this.changes.push({ revision, event });
    if (this.sink?.hasWatchers !== false) this.sink?.changed(revision, events);
  }

  put(key: string, value = 'v'): void {
    this.write([{ put: key, value }]);
  }

  delete(key: string): void {
    this.write([{ delete: key }]);
  }

  compact(revision: number): void {
    this.compactRevision = revision;
    this.sink?.compacted(revision);
  }

  readChanges(from: number, to: number, visit: (revision: number, event: StoreEvent) => boolean): void {
    if (from < this.compactRevision) throw new Error(`read of compacted history: ${from} < ${this.compactRevision}`);
    let low = 0;
    let high = this.changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.changes[middle] as Change).revision < from) low = middle + 1;
      else high = middle;
    }
    for (; low < this.changes.length; low++) {
      const change = this.changes[low] as Change;
      if (change.revision > to || !visit(change.revision, change.event)) return;
    }
  }

  keyValueAt(key: string, revision: number): Uint8Array | undefined {
    if (revision < this.compactRevision) return undefined;
    return this.everKeyValueAt(key, revision);
  }

  /** The same without regard to compaction. */
  everKeyValueAt(key: string, revision: number): Uint8Array | undefined {
    let found: StoreEvent | undefined;
    for (const change of this.changes) {
      if (change.revision > revision) break;
      if (change.event.key === key) found = change.event;
    }
    return found === undefined || found.type === EventType.delete ? undefined : found.keyValue;
  }
}

/** mvccpb.KeyValue { 1 key, 2 create_revision, 3 mod_revision, 4 version, 5 value }. */
export function encodeKeyValue(key: string, create: number, mod: number, version: number, value: string): Uint8Array {
  const scratch = new Uint8Array(key.length + value.length + 60);
  let at = 0;
  const writeText = (tag: number, text: string) => {
    scratch[at++] = tag;
    at = writeVarint(text.length, scratch, at);
    scratch.set(latin1ToBytes(text), at);
    at += text.length;
  };
  const writeNumber = (tag: number, number: number) => {
    if (number === 0) return;
    scratch[at++] = tag;
    at = writeVarint(number, scratch, at);
  };
  writeText(0x0a, key);
  writeNumber(0x10, create);
  writeNumber(0x18, mod);
  writeNumber(0x20, version);
  if (value !== '') writeText(0x2a, value);
  return copyBytes(scratch, 0, at);
}
