import { latin1ToBytes } from '@quorate/base';
import { Node } from './node.ts';
import { pageHeaderBytes } from './page.ts';
import type { PageBuffers } from './page-buffers.ts';
import type { Slice } from './slice.ts';
import { type BucketOwner, childNode, type WriteBucket } from './write-bucket.ts';

/** A page whose node is smaller than this part of it is merged with a neighbour. */
const mergePart = 4;
/** A bucket that fits this part of a page is kept inside its parent. */
const inlinePart = 4;

export interface SpillOwner extends BucketOwner {
  /** The first of so many pages in a row, now taken. */
  allocate(count: number): number;
}

/** Turns the changed nodes of a transaction into pages, from the leaves up. */
export class Spill {
  /** The new pages. */
  readonly ids: number[] = [];
  readonly buffers: Uint8Array[] = [];
  private readonly owner: SpillOwner;
  private readonly slice: Slice;
  private readonly room: PageBuffers;

  /** @param room where the new pages are made; it must not be released while they are needed. */
  constructor(owner: SpillOwner, slice: Slice, room: PageBuffers) {
    this.owner = owner;
    this.slice = slice;
    this.room = room;
  }

  /** The root of all buckets; its {@link WriteBucket.rootId} is the new one then. */
  async root(bucket: WriteBucket): Promise<void> {
    await this.openedBuckets(bucket);
    if (bucket.node !== undefined) await this.tree(bucket, bucket.node);
  }

  private async openedBuckets(bucket: WriteBucket): Promise<void> {
    for (const [name, inner] of bucket.opened) {
      await this.openedBuckets(inner);
      const changed = inner.node !== undefined || inner.headerChanged;
      if (!changed) continue;
      bucket.putHeader(latin1ToBytes(name), inner.encodeHeader(await this.innerBucket(inner)));
    }
  }

  /** @returns the length of the inline page, 0 when it has pages of its own. */
  private async innerBucket(bucket: WriteBucket): Promise<number> {
    const { node } = bucket;
    if (node === undefined) return bucket.inlineBytes;
    const root = await this.rebalanceRoot(node);
    bucket.node = root;
    if (root.isLeaf && root.bytes * inlinePart <= this.owner.pageSize && !root.flags.includes(1)) return root.bytes;
    bucket.rootId = await this.pagesOf(root, bucket.fillPercent);
    return 0;
  }

  private async tree(bucket: WriteBucket, node: Node): Promise<void> {
    bucket.rootId = await this.pagesOf(await this.rebalanceRoot(node), bucket.fillPercent);
  }

  // Merging

  private async rebalanceRoot(node: Node): Promise<Node> {
    if (node.isLeaf) return node;
    await this.rebalance(node);
    let root = node;
    while (!root.isLeaf && root.count === 1) root = childNode(this.owner, root, 0);
    return root.count === 0 ? new Node(true) : root;
  }

  private async rebalance(branch: Node): Promise<void> {
    for (const child of branch.children) {
      if (child !== undefined && !child.isLeaf) await this.rebalance(child);
    }
    this.mergeChildren(branch);
    if (this.slice.spent()) await this.slice.rest();
  }

  /** Drops empty children and merges small ones with a neighbour. */
  private mergeChildren(branch: Node): void {
    const enough = Math.floor(this.owner.pageSize / mergePart);
    for (let i = 0; i < branch.count; ) {
      const child = branch.children[i];
      if (child?.shrunk !== true) {
        i += 1;
      } else if (child.count === 0) {
        branch.remove(i);
      } else if ((child.bytes > enough && (child.isLeaf || child.count > 1)) || branch.count === 1) {
        i += 1;
      } else {
        const left = i > 0 ? i - 1 : 0;
        this.mergeInto(branch, left);
        i = left;
      }
    }
  }

  /** Appends child `left + 1` to child `left`. */
  private mergeInto(branch: Node, left: number): void {
    const target = childNode(this.owner, branch, left);
    const source = childNode(this.owner, branch, left + 1);
    for (let i = 0; i < source.count; i++) target.pushFrom(source, i);
    branch.remove(left + 1);
    target.shrunk = true;
    // A single child had no neighbour until now.
    if (!target.isLeaf) this.mergeChildren(target);
  }

  // Splitting and writing

  /** Writes the tree; returns the page id of its root. */
  private async pagesOf(root: Node, fillPercent: number): Promise<number> {
    let node = root.isLeaf ? root : await this.branchOf(root, fillPercent);
    for (;;) {
      if (node.count === 0) return this.write(node, 0, 0);
      const above = new Node(false);
      this.cut(node, fillPercent, above);
      if (above.count === 1) return above.childId(0);
      node = above;
    }
  }

  /** The branch with the ids and first keys of the pages that its children have become. */
  private async branchOf(branch: Node, fillPercent: number): Promise<Node> {
    const result = new Node(false);
    for (let i = 0; i < branch.count; i++) {
      const child = branch.children[i];
      if (child === undefined) result.pushFrom(branch, i);
      else this.cut(child.isLeaf ? child : await this.branchOf(child, fillPercent), fillPercent, result);
      if (child !== undefined && this.slice.spent()) await this.slice.rest();
    }
    return result;
  }

  /** Writes the node as one or more pages and appends their first keys and ids to `above`. */
  private cut(node: Node, fillPercent: number, above: Node): void {
    let begin = 0;
    for (const end of node.cuts(this.owner.pageSize, fillPercent)) {
      const id = this.write(node, begin, end);
      above.pushBranch(node.keySource(begin), node.keyStart(begin), node.keyLength(begin), id, undefined);
      begin = end;
    }
  }

  private write(node: Node, begin: number, end: number): number {
    const { pageSize } = this.owner;
    const slots = Math.max(1, Math.ceil((begin === end ? pageHeaderBytes : node.sizeOf(begin, end)) / pageSize));
    const id = this.owner.allocate(slots);
    const bytes = this.room.take(slots * pageSize);
    node.encode(begin, end, id, slots - 1, bytes, 0, bytes.length);
    this.ids.push(id);
    this.buffers.push(bytes);
    return id;
  }
}
