import { assert, latin1FromBytes } from '@quorate/base';
import { KeyHash } from './key-hash.ts';
import { idBits, idMask, KeyRecords, RecordFloat, RecordInt, recordFloats, recordInts } from './key-records.ts';
import { KeyTree } from './key-tree.ts';
import { type DroppedRevisions, RevisionHistory } from './revision-history.ts';
import { sortIds, sortIdsMax } from './sort-ids.ts';

/** The end of an interval without upper bound. */
export const openEnd: unique symbol = Symbol('open end');
/** Exclusive upper bound of a key interval. */
export type KeyEnd = Uint8Array | typeof openEnd;

/** Told ids in key order; `false` ends the walk. The index must not change meanwhile. */
export type IdVisitor = (id: number) => boolean | undefined;

/**
 * Which keys exist at which revision. A key has a small integer id while any of its revisions is kept.
 * About 80 bytes a key of 20 bytes and 12 to 20 bytes an older revision, none of it objects.
 *
 * Revisions are (main, sub); for one key they come in strictly ascending order.
 */
export class KeyIndex {
  private readonly records = new KeyRecords();
  private readonly hash: KeyHash;
  private readonly tree: KeyTree;
  private readonly history = new RevisionHistory();
  /** After {@link findAt}: the newest revision of the key at the revision asked for. */
  foundMain = 0;
  foundSub = 0;

  /** `seed`: any 32-bit number, drawn at random so that nobody can choose keys that collide. */
  constructor(seed: number) {
    this.hash = new KeyHash(this.records, seed);
    this.tree = new KeyTree(this.records);
  }

  /** Keys that exist at the current revision. */
  get liveCount(): number {
    return this.tree.live;
  }

  /** Keys with any kept revision. */
  get keyCount(): number {
    return this.hash.count;
  }

  /** All ids are below it; see {@link compactIds}. */
  get idEnd(): number {
    return this.records.idEnd;
  }

  /** The id of the key `key[start, end)`; 0 when nothing of it is kept. */
  find(key: Uint8Array, start = 0, end: number = key.length): number {
    return this.hash.find(this.hash.hash(key, start, end), key, start, end);
  }

  /** Whether the key exists at the current revision. */
  isLive(id: number): boolean {
    return this.records.float(id, RecordFloat.version) !== 0;
  }

  /** Main revision of the newest change; with {@link sub} the place of its record. */
  main(id: number): number {
    return this.records.float(id, RecordFloat.main);
  }

  sub(id: number): number {
    return this.records.int(id, RecordInt.sub);
  }

  /** Create revision at the current revision; 0 when deleted. */
  create(id: number): number {
    return this.records.float(id, RecordFloat.create);
  }

  /** Version at the current revision; 0 when deleted. */
  version(id: number): number {
    return this.records.float(id, RecordFloat.version);
  }

  keyLength(id: number): number {
    return this.records.int(id, RecordInt.keyLength);
  }

  /** The key as latin1 string. */
  keyText(id: number): string {
    const { slab } = this.records;
    const ref = this.records.int(id, RecordInt.keyRef);
    const start = slab.positionOf(ref);
    return latin1FromBytes(slab.chunkOf(ref), start, start + this.keyLength(id));
  }

  /** A copy of the key. */
  keyBytes(id: number): Uint8Array {
    const length = this.keyLength(id);
    const copy = new Uint8Array(length);
    this.records.slab.copyTo(this.records.int(id, RecordInt.keyRef), length, copy, 0);
    return copy;
  }

  /** Writes the key at `position`; returns the position behind it. */
  copyKey(id: number, target: Uint8Array, position: number): number {
    return this.records.slab.copyTo(this.records.int(id, RecordInt.keyRef), this.keyLength(id), target, position);
  }

  /** A put of a key that {@link find} did not find. @returns its id. */
  putNew(key: Uint8Array, start: number, end: number, main: number, sub: number): number {
    return this.add(key, start, end, main, sub, main, 1);
  }

  /** A put of a key that has an id. Its create revision and version follow from what the key is now. */
  put(id: number, main: number, sub: number): void {
    const wasLive = this.pushNewest(id);
    const floats = this.records.floats[id >>> idBits] as Float64Array;
    const at = (id & idMask) * recordFloats;
    floats[at + RecordFloat.main] = main;
    (this.records.ints[id >>> idBits] as Int32Array)[(id & idMask) * recordInts + RecordInt.sub] = sub;
    floats[at + RecordFloat.version] = (floats[at + RecordFloat.version] as number) + 1;
    if (wasLive) return;
    floats[at + RecordFloat.create] = main;
    this.adjustLive(id, 1);
  }

  /** Deletes a live key. */
  delete(id: number, main: number, sub: number): void {
    const wasLive = this.pushNewest(id);
    assert(wasLive, 'delete of a key that does not exist');
    this.setDeleted(id, main, sub);
    this.adjustLive(id, -1);
  }

  /**
   * A put read from the backend. Revisions of a key must come in ascending order. What is restored is not in key order yet:
   * {@link restoreOrder} follows when all is read.
   */
  restorePut(
    key: Uint8Array,
    start: number,
    end: number,
    main: number,
    sub: number,
    create: number,
    version: number,
  ): number {
    const hash = this.hash.hash(key, start, end);
    let id = this.hash.find(hash, key, start, end);
    if (id === 0) {
      id = this.records.allocate(key, start, end, hash);
      this.hash.insert(id, hash);
    } else this.pushNewest(id);
    this.set(id, main, sub, create, version);
    return id;
  }

  /** A tombstone read from the backend; the first thing seen of a key may be one. */
  restoreTombstone(key: Uint8Array, start: number, end: number, main: number, sub: number): number {
    return this.restorePut(key, start, end, main, sub, 0, 0);
  }

  /**
   * Puts all restored keys in order, sorted in groups first so that neighbours go in together. Runs on while it is asked for
   * the next step: a few milliseconds for a sort, less than one for some insertions.
   */
  *restoreOrder(): Generator<undefined> {
    const { records, tree } = this;
    const { slab } = records;
    for (let from = 1; from < records.idEnd; from += sortIdsMax) {
      const length = Math.min(sortIdsMax, records.idEnd - from);
      const ids = Int32Array.from({ length }, (_, i) => from + i);
      sortIds(records, ids);
      for (let i = 0; i < length; i++) {
        if (i % 256 === 0) yield;
        const id = ids[i] as number;
        const ref = records.int(id, RecordInt.keyRef);
        const start = slab.positionOf(ref);
        tree.insert(id, slab.chunkOf(ref), start, start + records.int(id, RecordInt.keyLength));
      }
    }
  }

  /**
   * Whether the key exists at revision `atMain`, which is at least the compacted one; if so {@link foundMain} and
   * {@link foundSub} say where its record is.
   */
  findAt(id: number, atMain: number): boolean {
    const main = this.main(id);
    if (main <= atMain) {
      this.foundMain = main;
      this.foundSub = this.sub(id);
      return this.isLive(id);
    }
    const { history } = this;
    if (!history.findAt(this.records.int(id, RecordInt.history), atMain)) return false;
    this.foundMain = history.foundMain;
    this.foundSub = history.foundSub;
    return !history.foundTombstone;
  }

  /** Number of live keys in [start, end) at the current revision, in O(log n). */
  countLive(start: Uint8Array, end: KeyEnd): number {
    const below = start.length === 0 ? 0 : this.tree.liveBelow(start, 0, start.length);
    const upTo = end === openEnd ? this.tree.live : this.tree.liveBelow(end, 0, end.length);
    return upTo > below ? upTo - below : 0;
  }

  /** Visits every id with start <= key < end, also of keys that do not exist now. */
  scan(start: Uint8Array, end: KeyEnd, visit: IdVisitor): void {
    const { tree, records } = this;
    if (!tree.seek(start, 0, start.length)) return;
    let leaf: typeof tree.leaf | undefined = tree.leaf;
    let position = tree.position;
    while (leaf !== undefined) {
      let { count } = leaf;
      let isLast = false;
      if (end !== openEnd && records.compare(leaf.ids[count - 1] as number, end, 0, end.length, 0) >= 0) {
        isLast = true;
        while (count > position && records.compare(leaf.ids[count - 1] as number, end, 0, end.length, 0) >= 0) count--;
      }
      for (; position < count; position++) if (visit(leaf.ids[position] as number) === false) return;
      if (isLast) return;
      position = 0;
      leaf = leaf.next;
    }
  }

  /** Visits what {@link scan} does, from the last to the first. */
  scanBack(start: Uint8Array, end: KeyEnd, visit: IdVisitor): void {
    const { tree, records } = this;
    if (!(end === openEnd ? tree.seekLast() : tree.seekBelow(end, 0, end.length))) return;
    let leaf: typeof tree.leaf | undefined = tree.leaf;
    let position = tree.position;
    while (leaf !== undefined) {
      const isLast = records.compare(leaf.ids[0] as number, start, 0, start.length, 0) < 0;
      for (; position >= 0; position--) {
        const id = leaf.ids[position] as number;
        if (isLast && records.compare(id, start, 0, start.length, 0) < 0) return;
        if (visit(id) === false) return;
      }
      leaf = leaf.previous;
      position = leaf === undefined ? -1 : leaf.count - 1;
    }
  }

  /**
   * Compacts the ids from `from` on at revision `atMain`, at most `limit` of them: of each key the newest revision at or
   * below `atMain` stays, unless it is a tombstone below `atMain`; what goes is told to `dropped`.
   * What a key with a long history loses is only cut off here: {@link releaseDropped} goes on.
   * @returns the id to go on with; 0 when all are done. Keys added meanwhile need no compaction.
   */
  compactIds(
    from: number,
    limit: number,
    atMain: number,
    dropped: DroppedRevisions,
    gone: (id: number) => void,
  ): number {
    const { records } = this;
    const end = Math.min(from + limit, records.idEnd);
    for (let id = from; id < end; id++) {
      const history = records.int(id, RecordInt.history);
      if (history === 0 && records.float(id, RecordFloat.version) !== 0) continue;
      if (records.isUsed(id)) this.compactId(id, history, atMain, dropped, gone);
    }
    return end === records.idEnd ? 0 : end;
  }

  /**
   * Tells what {@link compactIds} cut off, in at most `blocks` blocks of up to 512 revisions.
   * @returns whether all is told.
   */
  releaseDropped(blocks: number, dropped: DroppedRevisions): boolean {
    return this.history.releaseDetached(blocks, dropped);
  }

  /** Reports every kept revision of a key, newest first. For tests and tools. */
  forEachRevision(id: number, visit: (main: number, sub: number, isTombstone: boolean) => boolean): void {
    if (!visit(this.main(id), this.sub(id), !this.isLive(id))) return;
    this.history.forEach(this.records.int(id, RecordInt.history), visit);
  }

  verify(): void {
    this.tree.verify();
    let used = 0;
    for (let id = 1; id < this.records.idEnd; id++) {
      if (!this.records.isUsed(id)) continue;
      used += 1;
      assert(this.find(this.keyBytes(id)) === id, 'key not found by hash');
    }
    assert(used === this.hash.count, 'key count');
  }

  private compactId(
    id: number,
    history: number,
    atMain: number,
    dropped: DroppedRevisions,
    gone: (id: number) => void,
  ): void {
    const main = this.main(id);
    const isLive = this.isLive(id);
    if (main < atMain && !isLive) {
      this.history.detach(history);
      dropped.drop(main, this.sub(id), true);
      gone(id);
      this.removeKey(id);
      return;
    }
    if (history === 0) return;
    const head = this.history.compact(history, atMain, main > atMain, dropped);
    (this.records.ints[id >>> idBits] as Int32Array)[(id & idMask) * recordInts + RecordInt.history] = head;
  }

  private removeKey(id: number): void {
    const { slab } = this.records;
    const ref = this.records.int(id, RecordInt.keyRef);
    const start = slab.positionOf(ref);
    this.tree.remove(slab.chunkOf(ref), start, start + this.keyLength(id));
    this.hash.remove(id);
    this.records.release(id);
  }

  private add(
    key: Uint8Array,
    start: number,
    end: number,
    main: number,
    sub: number,
    create: number,
    version: number,
    hash: number = this.hash.hash(key, start, end),
  ): number {
    const id = this.records.allocate(key, start, end, hash);
    this.set(id, main, sub, create, version);
    this.hash.insert(id, hash);
    this.tree.insert(id, key, start, end);
    return id;
  }

  private set(id: number, main: number, sub: number, create: number, version: number): void {
    const floats = this.records.floats[id >>> idBits] as Float64Array;
    const at = (id & idMask) * recordFloats;
    floats[at + RecordFloat.main] = main;
    floats[at + RecordFloat.create] = create;
    floats[at + RecordFloat.version] = version;
    (this.records.ints[id >>> idBits] as Int32Array)[(id & idMask) * recordInts + RecordInt.sub] = sub;
  }

  private setDeleted(id: number, main: number, sub: number): void {
    this.set(id, main, sub, 0, 0);
  }

  /** Moves the newest revision into the history; returns whether it was a put. */
  private pushNewest(id: number): boolean {
    const floats = this.records.floats[id >>> idBits] as Float64Array;
    const ints = this.records.ints[id >>> idBits] as Int32Array;
    const atFloat = (id & idMask) * recordFloats;
    const at = (id & idMask) * recordInts;
    const isLive = floats[atFloat + RecordFloat.version] !== 0;
    ints[at + RecordInt.history] = this.history.push(
      ints[at + RecordInt.history] as number,
      floats[atFloat + RecordFloat.main] as number,
      ints[at + RecordInt.sub] as number,
      !isLive,
    );
    return isLive;
  }

  private adjustLive(id: number, delta: 1 | -1): void {
    const { slab } = this.records;
    const ref = this.records.int(id, RecordInt.keyRef);
    const start = slab.positionOf(ref);
    this.tree.adjustLive(slab.chunkOf(ref), start, start + this.keyLength(id), delta);
  }
}
