import { concatBytes } from '@quorate/base';

const quote = 0x22;
const backslash = 0x5c;

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** `{` and `[`. */
function opens(byte: number): boolean {
  return byte === 0x7b || byte === 0x5b;
}

/** `}` and `]`. */
function closes(byte: number): boolean {
  return byte === 0x7d || byte === 0x5d;
}

export interface SplitValues {
  readonly values: readonly Uint8Array[];
  /** Something else than an object came, or one over the limit: nothing behind `values` can be read. */
  readonly isBroken: boolean;
}

/**
 * Cuts a stream of bytes into JSON objects, each handed out once its last brace has come; whether it is sound inside is for the parser to
 * say. Every byte is looked at once, however small the pieces are in which it arrives.
 */
export class ValueSplitter {
  private readonly valueBytesMax: number;
  private readonly pieces: Uint8Array[] = [];
  private bytes = 0;
  private depth = 0;
  private inString = false;
  private escaped = false;

  constructor(valueBytesMax: number) {
    this.valueBytesMax = valueBytesMax;
  }

  /** The objects that this chunk completes; the chunk is the splitter's from then on. */
  take(chunk: Uint8Array): SplitValues {
    const values: Uint8Array[] = [];
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (this.depth === 0) {
        start = i;
        if (isSpace(byte)) continue;
        if (byte !== 0x7b) return { values, isBroken: true };
        this.depth = 1;
      } else if (this.step(byte)) {
        values.push(this.finish(chunk.subarray(start, i + 1)));
      }
    }
    if (this.depth > 0) {
      this.pieces.push(chunk.subarray(start));
      this.bytes += chunk.length - start;
    }
    return { values, isBroken: this.bytes > this.valueBytesMax };
  }

  /** Goes over one byte inside an object; true when it was the last. */
  private step(byte: number): boolean {
    if (this.inString) {
      if (this.escaped) this.escaped = false;
      else if (byte === backslash) this.escaped = true;
      else if (byte === quote) this.inString = false;
      return false;
    }
    if (byte === quote) this.inString = true;
    else if (opens(byte)) this.depth++;
    else if (closes(byte)) this.depth--;
    return this.depth === 0;
  }

  private finish(last: Uint8Array): Uint8Array {
    const value = this.pieces.length === 0 ? last : concatBytes([...this.pieces, last]);
    this.pieces.length = 0;
    this.bytes = 0;
    return value;
  }
}
