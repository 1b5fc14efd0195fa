import { allocateUnsafe, writeLatin1 } from '@quorate/base';
import { DynamicTable } from './dynamic-table.ts';
import { HeaderField } from './header-field.ts';
import { huffmanEncode, huffmanEncodedLength } from './huffman.ts';
import { staticFieldIndex, staticNameIndex, staticTableLength } from './static-table.ts';

/** Most bytes of table we use, whatever the peer allows. */
const tableBytesMax = 4096;

/** Writes a prefix integer (RFC 7541 section 5.1) whose first byte has `pattern` in its high bits; returns the position behind it. */
export function writeHpackInteger(
  value: number,
  prefixBits: number,
  pattern: number,
  target: Uint8Array,
  start: number,
): number {
  const mask = (1 << prefixBits) - 1;
  let position = start;
  if (value < mask) {
    target[position++] = pattern | value;
    return position;
  }
  target[position++] = pattern | mask;
  let rest = value - mask;
  while (rest >= 0x80) {
    target[position++] = 0x80 | (rest & 0x7f);
    rest = Math.floor(rest / 128);
  }
  target[position++] = rest;
  return position;
}

/** Writes a string (section 5.2), Huffman coded where that is shorter; returns the position behind it. */
export function writeHpackText(text: string, target: Uint8Array, start: number): number {
  const encoded = huffmanEncodedLength(text);
  if (encoded < text.length) return huffmanEncode(text, target, writeHpackInteger(encoded, 7, 0x80, target, start));
  return writeLatin1(text, target, writeHpackInteger(text.length, 7, 0, target, start));
}

/** Writes a field that touches no table but the static names (section 6.2.2); returns the position behind it. */
export function writeLiteralField(name: string, value: string, target: Uint8Array, start: number): number {
  const index = staticNameIndex(name);
  let position = writeHpackInteger(index, 4, 0, target, start);
  if (index === 0) position = writeHpackText(name, target, position);
  return writeHpackText(value, target, position);
}

/** Encodes header blocks of one direction of one connection. Blocks must go out in the order in which they were encoded. */
export class HpackEncoder {
  private readonly table = new DynamicTable(tableBytesMax);
  /** Insertion number by `name NUL value`; those of evicted fields are found out by their age. */
  private readonly insertions = new Map<string, number>();
  private inserted = 0;
  /** The size to announce at the start of the next block, or -1. */
  private announce = -1;
  private buffer: Uint8Array = allocateUnsafe(512);
  private position = 0;

  /** Changes with every change of the table: an encoded block without insertions stays right as long as this is the same. */
  get generation(): number {
    return this.table.generation;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerTableSize(size: number): void {
    const use = Math.min(size, tableBytesMax);
    if (use === this.table.sizeMax && this.announce < 0) return;
    this.table.resize(use);
    // A shrink in between would have to be announced too (section 4.2); announcing 0 first covers every case.
    this.announce = use;
  }

  begin(): void {
    this.position = 0;
    if (this.announce >= 0) {
      this.reserve(12);
      this.position = writeHpackInteger(0, 5, 0x20, this.buffer, this.position);
      this.position = writeHpackInteger(this.announce, 5, 0x20, this.buffer, this.position);
      this.table.resize(0);
      this.table.resize(this.announce);
      this.announce = -1;
    }
  }

  /** Adds a field that is likely to come again: it goes to the table. */
  addIndexed(name: string, value: string): void {
    const key = `${name}\0${value}`;
    const fixed = staticFieldIndex(key);
    this.reserve(name.length + value.length + 16);
    if (fixed > 0) {
      this.position = writeHpackInteger(fixed, 7, 0x80, this.buffer, this.position);
      return;
    }
    const insertion = this.insertions.get(key);
    if (insertion !== undefined && this.inserted - insertion < this.table.count) {
      const index = staticTableLength + 1 + this.inserted - insertion;
      this.position = writeHpackInteger(index, 7, 0x80, this.buffer, this.position);
      return;
    }
    const field = new HeaderField(name, value);
    if (field.size > this.table.sizeMax) {
      this.position = writeLiteralField(name, value, this.buffer, this.position);
      return;
    }
    const nameIndex = staticNameIndex(name);
    this.position = writeHpackInteger(nameIndex, 6, 0x40, this.buffer, this.position);
    if (nameIndex === 0) this.position = writeHpackText(name, this.buffer, this.position);
    this.position = writeHpackText(value, this.buffer, this.position);
    this.table.add(field);
    this.inserted++;
    if (this.insertions.size >= 256) this.insertions.clear();
    this.insertions.set(key, this.inserted);
  }

  /** Adds a field whose value changes from call to call: it leaves the table alone. */
  addLiteral(name: string, value: string): void {
    this.reserve(name.length + value.length + 16);
    this.position = writeLiteralField(name, value, this.buffer, this.position);
  }

  /** The block since {@link begin}: a view, valid until the next `begin`. */
  end(): Uint8Array {
    return this.buffer.subarray(0, this.position);
  }

  private reserve(size: number): void {
    if (this.position + size <= this.buffer.length) return;
    const larger = allocateUnsafe((this.position + size) * 2);
    larger.set(this.buffer.subarray(0, this.position));
    this.buffer = larger;
  }
}
