import { latin1FromBytes, latin1ToBytes } from '@quorate/base';
import type { PairVisitor, RevisionVisitor } from './backend.ts';
import type { Batch } from './batch.ts';
import type { PlainBucketId } from './bucket-id.ts';
import type { CommittedReader } from './committed-reader.ts';
import { compareLatin1 } from './plain-bucket.ts';
import { revisionCode } from './revision-run.ts';

/** Walks records of the committed content under those of batches; the batches from old to new. */
export function rangeMergedRevisions(
  committed: CommittedReader,
  batches: readonly Batch[],
  fromMain: number,
  fromSub: number,
  toMain: number,
  visit: RevisionVisitor,
  isScan = false,
): void {
  const walk = committed.walkRevisions(fromMain, fromSub, isScan);
  const places = batches.map((batch) => batch.revisions.lowerBound(fromMain, revisionCode(fromSub, false)));
  for (;;) {
    let main = walk.isValid ? walk.main : Number.POSITIVE_INFINITY;
    let code = walk.code;
    // 0 is the committed content, i + 1 batch i. Of the same revision the newest counts.
    let layer = 0;
    for (let i = 0; i < batches.length; i++) {
      const { revisions } = batches[i] as Batch;
      const place = places[i] as number;
      if (place >= revisions.length) continue;
      const there = revisions.mains[place] as number;
      if (there < main || (there === main && (revisions.codes[place] as number) <= code)) {
        main = there;
        code = revisions.codes[place] as number;
        layer = i + 1;
      }
    }
    if (main >= toMain) return;
    const value = isDeletedSince(batches, layer, main, code)
      ? undefined
      : layer === 0
        ? walk.value
        : batches[layer - 1]?.revisions.values[places[layer - 1] as number];
    if (value !== undefined && visit(main, code >>> 1, (code & 1) === 1, value) === false) return;
    if (walk.isValid && walk.main === main && walk.code === code) walk.next();
    for (let i = 0; i < batches.length; i++) {
      const { revisions } = batches[i] as Batch;
      const place = places[i] as number;
      if (revisions.mains[place] === main && revisions.codes[place] === code && place < revisions.length) {
        places[i] = place + 1;
      }
    }
  }
}

function isDeletedSince(batches: readonly Batch[], from: number, main: number, code: number): boolean {
  for (let i = from; i < batches.length; i++) {
    const { deletedRevisions } = batches[i] as Batch;
    if (deletedRevisions.size > 0 && deletedRevisions.has(main, code)) return true;
  }
  return false;
}

/** Walks pairs of the committed content under those of batches; the batches from old to new. */
export function rangeMergedPairs(
  committed: CommittedReader,
  batches: readonly Batch[],
  bucket: PlainBucketId,
  start: Uint8Array,
  end: Uint8Array | undefined,
  limit: number,
  visit: PairVisitor,
): void {
  if (batches.every((batch) => batch.of(bucket).size === 0)) {
    committed.range(bucket, start, end, limit, visit);
    return;
  }
  const from = latin1FromBytes(start);
  const to = end === undefined ? undefined : latin1FromBytes(end);
  const changes = new Map<string, Uint8Array | null>();
  for (const batch of batches) for (const [key, value] of batch.of(bucket)) changes.set(key, value);
  const keys = [...changes.keys()].filter((key) => key >= from && (to === undefined || key < to)).sort(compareLatin1);
  const cursor = committed.cursor(bucket);
  let left = limit;
  let there = cursor?.seek(start) ?? false;
  for (let place = 0; left > 0; ) {
    const stored = there && cursor !== undefined ? latin1FromBytes(cursor.key) : undefined;
    const changed = keys[place];
    if (stored !== undefined && (to === undefined || stored < to) && (changed === undefined || stored < changed)) {
      const value = cursor?.value;
      if (value !== undefined && visit(latin1ToBytes(stored), value) === false) return;
      left -= 1;
      there = cursor?.next() ?? false;
      continue;
    }
    if (changed === undefined) return;
    if (stored === changed) there = cursor?.next() ?? false;
    place += 1;
    const value = changes.get(changed);
    if (value === null || value === undefined) continue;
    if (visit(latin1ToBytes(changed), value) === false) return;
    left -= 1;
  }
}
