import { utf8Length, varintLength, WireType, writeTag, writeUtf8, writeVarint, writeVarint64 } from '@quorate/api';
import { allocateUnsafe } from '@quorate/base';

/** The longest tag with the longest number behind it. */
const scalarBytesMax = 20;
const cell = new DataView(new ArrayBuffer(8));

/** Writes protobuf messages that are no part of etcd's API, field by field. */
export class FieldWriter {
  private target = allocateUnsafe(4096);
  private position = 0;

  /** What was written; the writer is done. */
  finish(): Uint8Array {
    return this.target.subarray(0, this.position);
  }

  text(field: number, value: string): void {
    const length = utf8Length(value);
    this.head(field, length);
    writeUtf8(value, length, this.target, this.position);
    this.position += length;
  }

  bytes(field: number, value: Uint8Array): void {
    this.head(field, value.length);
    this.target.set(value, this.position);
    this.position += value.length;
  }

  varint(field: number, value: number): void {
    this.tag(field, WireType.varint);
    this.position = writeVarint(value, this.target, this.position);
  }

  int64(field: number, value: bigint): void {
    this.tag(field, WireType.varint);
    this.position = writeVarint64(value, this.target, this.position);
  }

  fixed32(field: number, value: number): void {
    this.tag(field, WireType.fixed32);
    cell.setUint32(0, value, true);
    this.copyCell(4);
  }

  fixed64(field: number, value: bigint): void {
    this.tag(field, WireType.fixed64);
    cell.setBigUint64(0, value, true);
    this.copyCell(8);
  }

  double(field: number, value: number): void {
    this.tag(field, WireType.fixed64);
    cell.setFloat64(0, value, true);
    this.copyCell(8);
  }

  /** A message within the message: what `write` writes. */
  message(field: number, write: () => void): void {
    this.tag(field, WireType.bytes);
    this.delimited(write);
  }

  /** What `write` writes, behind its length. */
  delimited(write: () => void): void {
    const start = this.position;
    write();
    const length = this.position - start;
    const lengthBytes = varintLength(length);
    this.makeRoom(lengthBytes);
    // The length is known only now.
    this.target.copyWithin(start + lengthBytes, start, this.position);
    writeVarint(length, this.target, start);
    this.position += lengthBytes;
  }

  private head(field: number, length: number): void {
    this.tag(field, WireType.bytes);
    this.makeRoom(length + scalarBytesMax);
    this.position = writeVarint(length, this.target, this.position);
  }

  /** Makes room for a number behind it, too. */
  private tag(field: number, wireType: number): void {
    this.makeRoom(scalarBytesMax);
    this.position = writeTag(field, wireType, this.target, this.position);
  }

  private copyCell(size: number): void {
    for (let i = 0; i < size; i++) this.target[this.position++] = cell.getUint8(i);
  }

  private makeRoom(size: number): void {
    if (this.position + size <= this.target.length) return;
    const larger = allocateUnsafe(Math.max(2 * this.target.length, this.position + size));
    larger.set(this.target.subarray(0, this.position));
    this.target = larger;
  }
}
