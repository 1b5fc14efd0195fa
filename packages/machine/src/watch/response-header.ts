import { writeVarint, writeVarint64 } from '@quorate/api';
import { allocateUnsafe, copyBytes } from '@quorate/base';

/**
 * Writes the fields of an etcdserverpb.ResponseHeader { 1 cluster_id, 2 member_id, 3 revision, 4 raft_term } at
 * `position` and returns the position behind them. At most {@link headerBytesMax} bytes.
 */
export type HeaderWriter = (revision: number, target: Uint8Array, position: number) => number;

/** Four fields of one tag byte and at most ten bytes each. */
export const headerBytesMax = 44;

/** A {@link HeaderWriter} whose ids are encoded once; `raftTerm` is read at each call. */
export function makeHeaderWriter(clusterId: bigint, memberId: bigint, raftTerm: () => number): HeaderWriter {
  const scratch = allocateUnsafe(headerBytesMax);
  let size = 0;
  if (clusterId !== 0n) {
    scratch[size++] = 0x08;
    size = writeVarint64(clusterId, scratch, size);
  }
  if (memberId !== 0n) {
    scratch[size++] = 0x10;
    size = writeVarint64(memberId, scratch, size);
  }
  const prefix = copyBytes(scratch, 0, size);
  return (revision, target, position) => {
    target.set(prefix, position);
    let at = position + prefix.length;
    if (revision !== 0) {
      target[at++] = 0x18;
      at = writeVarint(revision, target, at);
    }
    const term = raftTerm();
    if (term !== 0) {
      target[at++] = 0x20;
      at = writeVarint(term, target, at);
    }
    return at;
  };
}
