import { allocateUnsafe, copyBytes, type DiskFile, emptyBytes } from '@quorate/base';
import type { Bucket } from './bucket.ts';
import { bucketHeaderBytes, writeBucketHeader } from './bucket-header.ts';
import { encodeMeta, type Meta } from './meta.ts';
import { Node } from './node.ts';
import { bucketElementFlag, elementBytes, type Page, pageHeaderBytes } from './page.ts';
import type { Slice } from './slice.ts';

/** How full pages are made. */
const fillPercent = 0.9;
const inlinePart = 4;
const writeBytesMax = 1024 * 1024;

/** Where finished bytes go, front to back. */
export interface CompactSink {
  append(chunks: readonly Uint8Array[]): Promise<void>;
}

/** Lays out a database without gaps in one pass, bucket by bucket in key order. The two meta pages come first in the file but last in time. */
export class CompactWriter {
  private readonly sink: CompactSink;
  private readonly pageSize: number;
  private readonly slice: Slice;
  private nextId = 2;
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;

  constructor(sink: CompactSink, pageSize: number, slice: Slice) {
    this.sink = sink;
    this.pageSize = pageSize;
    this.slice = slice;
  }

  /** Writes everything from page 2 on; returns what the meta pages must say. */
  async copy(root: Bucket, txid: number): Promise<Meta> {
    const rootId = await this.copyTree(root);
    await this.flush();
    const { pageSize, nextId } = this;
    return { pageSize, rootId, rootSequence: root.sequence, freelistId: undefined, highWaterMark: nextId, txid };
  }

  /** The bucket's value for its parent. */
  private async copyBucket(bucket: Bucket): Promise<Uint8Array> {
    const root = bucket.root() as Page;
    const small = root.isLeaf ? Node.fromPage(root) : undefined;
    if (small !== undefined && small.bytes * inlinePart <= this.pageSize && !small.flags.includes(bucketElementFlag)) {
      const value = new Uint8Array(bucketHeaderBytes + small.bytes);
      writeBucketHeader({ rootId: 0, sequence: bucket.sequence }, value);
      small.encode(0, small.count, 0, 0, value, bucketHeaderBytes, value.length);
      return value;
    }
    const value = new Uint8Array(bucketHeaderBytes);
    writeBucketHeader({ rootId: await this.copyTree(bucket), sequence: bucket.sequence }, value);
    return value;
  }

  /** @returns the page id of the root. */
  private async copyTree(bucket: Bucket): Promise<number> {
    const levels: Level[] = [];
    const threshold = this.pageSize * fillPercent;
    let leaf = new Node(true);
    const cursor = bucket.cursor();
    for (let there = cursor.first(); there; there = cursor.next()) {
      const { key, isBucket } = cursor;
      const inner = isBucket ? bucket.bucket(key) : undefined;
      const value = inner === undefined ? (cursor.value ?? emptyBytes) : await this.copyBucket(inner);
      if (leaf.count > 0 && leaf.bytes + elementBytes + key.length + value.length > threshold) {
        this.emit(leaf, leaf.count, levels, 0);
        leaf = new Node(true);
      }
      leaf.pushLeaf(key, 0, key.length, value, 0, value.length, isBucket ? bucketElementFlag : 0);
      if (this.waitingBytes >= writeBytesMax) await this.flush();
      if (this.slice.spent()) await this.slice.rest();
    }
    if (leaf.count > 0 || levels.length === 0) this.emit(leaf, leaf.count, levels, 0);
    return this.finish(levels);
  }

  /** Writes elements [0, end) of a node of height `height` and tells the level above. */
  private emit(node: Node, end: number, levels: Level[], height: number): void {
    const { pageSize } = this;
    const slots = Math.max(1, Math.ceil((node.count === 0 ? pageHeaderBytes : node.sizeOf(0, end)) / pageSize));
    const id = this.nextId;
    const bytes = allocateUnsafe(slots * pageSize);
    node.encode(0, end, id, slots - 1, bytes, 0, bytes.length);
    this.nextId += slots;
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
    levels[height] ??= { node: new Node(false), lastId: 0, emitted: 0 };
    const level = levels[height] as Level;
    const key =
      node.count === 0
        ? emptyBytes
        : copyBytes(node.keySource(0), node.keyStart(0), node.keyStart(0) + node.keyLength(0));
    level.node.pushBranch(key, 0, key.length, id, undefined);
    level.lastId = id;
    level.emitted += 1;
    this.cutLevel(levels, height);
  }

  /** Two children are kept back: the last branch of a level must not end up with one. */
  private cutLevel(levels: Level[], height: number): void {
    const level = levels[height] as Level;
    const { node } = level;
    if (node.bytes <= this.pageSize * fillPercent || node.count < 4) return;
    const rest = new Node(false);
    for (let i = node.count - 2; i < node.count; i++) rest.pushFrom(node, i);
    level.node = rest;
    this.emit(node, node.count - 2, levels, height + 1);
  }

  private finish(levels: Level[]): number {
    for (let height = 0; ; height++) {
      const level = levels[height] as Level;
      if (level.emitted === 1) return level.lastId;
      this.emit(level.node, level.node.count, levels, height + 1);
    }
  }

  private async flush(): Promise<void> {
    const chunks = this.waiting;
    this.waiting = [];
    this.waitingBytes = 0;
    if (chunks.length > 0) await this.sink.append(chunks);
  }
}

/** Branches of one height being filled: pages of the height below, by first key. */
interface Level {
  node: Node;
  lastId: number;
  /** Pages of the height below, in all. */
  emitted: number;
}

/** Writes a compact copy into an empty file and makes it durable. */
export async function compactInto(
  file: DiskFile,
  root: Bucket,
  pageSize: number,
  txid: number,
  slice: Slice,
): Promise<void> {
  let position = 2 * pageSize;
  const sink: CompactSink = {
    async append(chunks) {
      await file.write(chunks, position);
      for (const chunk of chunks) position += chunk.length;
    },
  };
  const meta = await new CompactWriter(sink, pageSize, slice).copy(root, txid);
  await file.datasync();
  await file.write([encodeMetaPages(meta)], 0);
  await file.sync();
}

/** Pages 0 and 1: the meta and, as its predecessor, the same with the txid before. */
export function encodeMetaPages(meta: Meta): Uint8Array {
  const pages = allocateUnsafe(2 * meta.pageSize);
  encodeMeta(meta, 0, pages, 0);
  encodeMeta({ ...meta, txid: Math.max(0, meta.txid - 1) }, 1, pages, meta.pageSize);
  return pages;
}
