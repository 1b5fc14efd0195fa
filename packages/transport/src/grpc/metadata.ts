import { latin1ToBytes } from '@quorate/base';
import { FieldKind, type HeaderField } from '../hpack/header-field.ts';

/** The headers of a call, looked through only when asked. Names are lower case. Shared between calls with the same headers: immutable. */
export class Metadata {
  private readonly fields: readonly HeaderField[];

  constructor(fields: readonly HeaderField[]) {
    this.fields = fields;
  }

  /** The first value with this name, pseudo-headers included; latin1, one character a byte. */
  get(name: string): string | undefined {
    for (const field of this.fields) if (field.name === name) return field.value;
    return undefined;
  }

  /** All values with this name, in order. */
  getAll(name: string): string[] {
    const values: string[] = [];
    for (const field of this.fields) if (field.name === name) values.push(field.value);
    return values;
  }

  /** The first value of a `-bin` name, decoded; undefined when there is none. */
  getBytes(name: string): Uint8Array | undefined {
    const value = this.get(name);
    return value === undefined ? undefined : base64Decode(value);
  }

  /** Names and values in order, without pseudo-headers. */
  entries(): [string, string][] {
    const all: [string, string][] = [];
    for (const field of this.fields) {
      if (field.kind < FieldKind.method || field.kind > FieldKind.status) all.push([field.name, field.value]);
    }
    return all;
  }
}

interface Base64 {
  atob(text: string): string;
  btoa(text: string): string;
}
const base64 = globalThis as unknown as Base64;

function base64Decode(text: string): Uint8Array | undefined {
  try {
    return latin1ToBytes(base64.atob(text));
  } catch {
    // Malformed input from outside: the caller sees that there is no value.
    return undefined;
  }
}

/** The value of a `-bin` header for these bytes: base64 without padding. */
export function base64Encode(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return base64.btoa(text).replace(/=+$/, '');
}

export const emptyMetadata = new Metadata([]);
