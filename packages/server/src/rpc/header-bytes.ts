import { varintLength, writeVarint } from '@quorate/api';
import { type HeaderWriter, headerBytesMax, makeHeaderWriter } from '@quorate/machine';

/** Writes response headers on hot paths: the ids are encoded once, revision and term each time. */
export class HeaderBytes {
  private readonly writeHeader: HeaderWriter;
  private readonly scratch = new Uint8Array(headerBytesMax);

  /** @param raftTerm term of the last applied entry, asked each time. */
  constructor(clusterId: bigint, memberId: bigint, raftTerm: () => number) {
    this.writeHeader = makeHeaderWriter(clusterId, memberId, raftTerm);
  }

  /** For who splices the header himself. */
  get writer(): HeaderWriter {
    return this.writeHeader;
  }

  /** Writes field 1 of a response, tag and length included; at most 46 bytes. @returns the position behind it. */
  writeField(revision: number, target: Uint8Array, position: number): number {
    // The length is one byte: a header never has 128.
    const end = this.writeHeader(revision, target, position + 2);
    target[position] = 0x0a;
    target[position + 1] = end - position - 2;
    return end;
  }

  /** A copy of the header's bytes without tag and length, for splicing into a message. */
  take(revision: number): Uint8Array {
    return this.scratch.slice(0, this.writeHeader(revision, this.scratch, 0));
  }
}

/** Bytes of a length-delimited field with a one-byte tag. */
export function fieldLength(length: number): number {
  return 1 + varintLength(length) + length;
}

/** Writes a length-delimited field with a one-byte tag. @returns the position behind it. */
export function writeField(tag: number, bytes: Uint8Array, target: Uint8Array, position: number): number {
  target[position] = tag;
  const at = writeVarint(bytes.length, target, position + 1);
  target.set(bytes, at);
  return at + bytes.length;
}
