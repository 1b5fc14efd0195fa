import { viewOf } from './bytes.ts';
import { Node } from './node.ts';
import { childIndexOf, corruptPage, type Page } from './page.ts';

/** A branch or leaf, as it lies in the file or being changed. */
export type Tree = Page | Node;

/** Where pages come from. */
export interface Pages {
  readonly pageSize: number;
  /** @throws CodedError bbolt/corrupt, bbolt/closed and the disk's */
  page(id: number): Page;
}

/** A tree deeper than this has a loop. */
export const depthMax = 64;

export function childOf(pages: Pages, tree: Tree, index: number): Tree {
  return (tree instanceof Node ? tree.children[index] : undefined) ?? pages.page(tree.childId(index));
}

/** The leaf in which the key is, if it is anywhere. */
export function findLeaf(pages: Pages, root: Tree, source: Uint8Array, start: number, length: number): Tree {
  let tree = root;
  for (let depth = 0; !tree.isLeaf; depth++) {
    if (depth === depthMax) throw corruptPage(tree.childId(0), 'the tree is too deep');
    tree = childOf(pages, tree, childIndexOf(tree.search(source, start, length)));
  }
  return tree;
}

/** Bytes of the value as a view, or themselves when it is all of them. */
export function valueAt(tree: Tree, index: number): Uint8Array {
  const source = tree.valueSource(index);
  const start = tree.valueStart(index);
  const length = tree.valueLength(index);
  return length === source.length ? source : viewOf(source, start, length);
}

/** Whether the key at this place is the one in `source`. */
export function hasKeyAt(tree: Tree, index: number, source: Uint8Array, start: number, length: number): boolean {
  if (tree.keyLength(index) !== length) return false;
  const bytes = tree.keySource(index);
  // From the end: neighbouring keys differ there.
  for (let i = length - 1, at = tree.keyStart(index) + i; i >= 0; i--, at--) {
    if (bytes[at] !== source[start + i]) return false;
  }
  return true;
}

export function keyAt(tree: Tree, index: number): Uint8Array {
  const source = tree.keySource(index);
  const start = tree.keyStart(index);
  const length = tree.keyLength(index);
  return length === source.length ? source : viewOf(source, start, length);
}
