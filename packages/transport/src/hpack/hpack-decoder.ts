import { latin1FromBytes } from '@quorate/base';
import { DynamicTable } from './dynamic-table.ts';
import { HeaderField } from './header-field.ts';
import { huffmanDecode, huffmanScratch } from './huffman.ts';
import { staticTable, staticTableLength } from './static-table.ts';

/** Prefix integers above this are refused: nothing valid is as large (a string is bounded by the header block, an index by the table). */
const integerMax = 0x0fff_ffff;

/**
 * Decodes header blocks of one direction of one connection (RFC 7541). An indexed field costs a lookup and yields the very object that
 * is in the table; only literals make strings.
 */
export class HpackDecoder {
  readonly table: DynamicTable;
  /** Sum of sizes of the block decoded last, counted beyond `listBytesMax` too. */
  listBytes = 0;
  /** True when the last block changed the table: it means something else when it comes again. */
  changedTable = false;
  private readonly tableBytesMax: number;
  private readonly listBytesMax: number;
  private position = 0;
  /** Set where -1 is a possible integer error and the caller must look. */
  private failed = false;

  /**
   * @param tableBytesMax what our SETTINGS_HEADER_TABLE_SIZE says.
   * @param listBytesMax fields beyond this sum are decoded (the table must follow) but dropped.
   */
  constructor(tableBytesMax: number, listBytesMax: number) {
    this.table = new DynamicTable(tableBytesMax);
    this.tableBytesMax = tableBytesMax;
    this.listBytesMax = listBytesMax;
  }

  /**
   * Decodes the complete block `source[start, end)`, writing fields from `fields[0]` on; keeps no view of it.
   * @returns the count of fields, or -1 on a compression error, after which the connection is lost.
   */
  decode(source: Uint8Array, start: number, end: number, fields: HeaderField[]): number {
    const table = this.table;
    const generation = table.generation;
    let count = 0;
    let listBytes = 0;
    let sawField = false;
    this.position = start;
    this.failed = false;
    while (this.position < end) {
      const first = source[this.position] as number;
      let field: HeaderField | null;
      if (first >= 0x80) {
        field = this.indexed(source, end, first);
      } else if (first >= 0x40) {
        field = this.literal(source, end, 6);
        if (field !== null) table.add(field);
      } else if (first >= 0x20) {
        // A size update may only come first (section 4.2).
        if (sawField || !this.sizeUpdate(source, end)) return -1;
        continue;
      } else {
        field = this.literal(source, end, 4);
      }
      if (field === null) return -1;
      sawField = true;
      listBytes += field.size;
      if (listBytes <= this.listBytesMax) fields[count++] = field;
    }
    this.listBytes = listBytes;
    this.changedTable = table.generation !== generation;
    return count;
  }

  private indexed(source: Uint8Array, end: number, first: number): HeaderField | null {
    let index = first & 0x7f;
    if (index === 0x7f) {
      index = this.integer(source, end, 7);
      if (this.failed) return null;
    } else {
      this.position++;
    }
    return this.fieldAt(index);
  }

  private fieldAt(index: number): HeaderField | null {
    if (index <= staticTableLength) return index === 0 ? null : (staticTable[index - 1] as HeaderField);
    const age = index - staticTableLength - 1;
    return age < this.table.count ? this.table.at(age) : null;
  }

  private literal(source: Uint8Array, end: number, prefixBits: number): HeaderField | null {
    const index = this.integer(source, end, prefixBits);
    if (this.failed) return null;
    if (index === 0) {
      const name = this.text(source, end);
      if (this.failed) return null;
      const value = this.text(source, end);
      return this.failed ? null : new HeaderField(name, value);
    }
    const named = this.fieldAt(index);
    if (named === null) return null;
    const value = this.text(source, end);
    return this.failed ? null : new HeaderField(named.name, value, named.nameKind);
  }

  private sizeUpdate(source: Uint8Array, end: number): boolean {
    const size = this.integer(source, end, 5);
    if (this.failed || size > this.tableBytesMax) return false;
    this.table.resize(size);
    return true;
  }

  /** Section 5.1. Sets `failed` when it is cut off or too large. */
  private integer(source: Uint8Array, end: number, prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = (source[this.position++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.position >= end) break;
      const byte = source[this.position++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (value > integerMax) break;
      if (byte < 0x80) return value;
    }
    this.failed = true;
    return 0;
  }

  /** Section 5.2. Sets `failed` when it is cut off or badly coded. */
  private text(source: Uint8Array, end: number): string {
    if (this.position >= end) {
      this.failed = true;
      return '';
    }
    const huffman = (source[this.position] as number) >= 0x80;
    const length = this.integer(source, end, 7);
    const from = this.position;
    const to = from + length;
    if (this.failed || to > end) {
      this.failed = true;
      return '';
    }
    this.position = to;
    if (!huffman) return latin1FromBytes(source, from, to);
    const decoded = huffmanDecode(source, from, to);
    if (decoded < 0) {
      this.failed = true;
      return '';
    }
    return latin1FromBytes(huffmanScratch(), 0, decoded);
  }
}
