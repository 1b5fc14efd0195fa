import type { AnyMessageCodec, Field } from '@quorate/api';
import { rule } from '../engine/target.ts';

interface TheirType {
  decode(bytes: Uint8Array): object;
  toObject(message: object, options: object): Record<string, unknown>;
}
interface GenerateScript {
  loadProtos(): { lookupType(name: string): TheirType };
}
const script = (await import(
  new URL('../../../packages/api/scripts/generate.mjs', import.meta.url).href
)) as GenerateScript;
const theirs = script.loadProtos();
const types = new Map<string, TheirType>();

function theirType(name: string): TheirType {
  let type = types.get(name);
  if (type === undefined) {
    type = theirs.lookupType(name);
    types.set(name, type);
  }
  return type;
}

/**
 * A message as plain values in declaration order. Without zeros and empty messages, some of which ours always have, and without
 * numbers of enums that have no name, which protobufjs drops in proto2.
 */
export function plain(type: AnyMessageCodec, message: object): Record<string, unknown> {
  const values = message as Record<string, unknown>;
  const object: Record<string, unknown> = {};
  for (const field of type.fields) {
    const value = field.label === 'map' ? mapOf(field, values[field.key]) : listOf(field, values[field.key]);
    if (value !== undefined && !isEmptyMessage(field, value)) object[field.name] = value;
  }
  return object;
}

function isEmptyMessage(field: Field, value: unknown): boolean {
  return field.kind === 'message' && !Array.isArray(value) && Object.keys(value as object).length === 0;
}

function listOf(field: Field, value: unknown): unknown {
  if (field.label !== 'repeated') return field.presence ? plainValue(field, value) : nonZero(field, value);
  const list = value as unknown[];
  return list.length === 0 ? undefined : list.map((item) => plainValue(field, item));
}

function isUnnamed(field: Field, value: unknown): boolean {
  return field.kind === 'enum' && !Object.values(field.values ?? {}).includes(Number(value));
}

function nonZero(field: Field, value: unknown): unknown {
  if (field.kind === 'message') return plainValue(field, value);
  if (isUnnamed(field, value)) return undefined;
  const isZero = value === 0 || value === 0n || value === false || value === '' || (value as Uint8Array).length === 0;
  return isZero ? undefined : plainValue(field, value);
}

function mapOf(field: Field, value: unknown): unknown {
  const entries = [...(value as Map<string, unknown>)].sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : entries.map(([key, item]) => [key, plainValue(field, item)]);
}

function plainValue(field: Field, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (field.kind === 'message') return plain((field.message as () => AnyMessageCodec)(), value as object);
  if (field.kind === 'bytes') return Buffer.from(value as Uint8Array).toString('base64');
  return typeof value === 'bigint' || typeof value === 'number' ? String(value) : value;
}

function saturated(field: Field, value: unknown): unknown {
  if (field.saturates !== true) return value;
  const number = BigInt(value as string);
  if (number > Number.MAX_SAFE_INTEGER) return String(Number.MAX_SAFE_INTEGER);
  return number < Number.MIN_SAFE_INTEGER ? String(Number.MIN_SAFE_INTEGER) : value;
}

/** The same from what protobufjs gives. */
function plainOfTheirs(type: AnyMessageCodec, object: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const field of type.fields) {
    const value = object[field.name];
    if (value === undefined || value === null) continue;
    const one = (item: unknown): unknown => {
      if (field.kind === 'message')
        return plainOfTheirs((field.message as () => AnyMessageCodec)(), item as Record<string, unknown>);
      return saturated(field, typeof item === 'number' ? String(item) : item);
    };
    if (field.label === 'repeated') {
      if ((value as unknown[]).length > 0) result[field.name] = (value as unknown[]).map(one);
    } else if (field.label === 'map') {
      const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
      if (entries.length > 0) result[field.name] = entries.map(([key, item]) => [key, one(item)]);
    } else {
      const isZero = value === 0 || value === '0' || value === false || value === '' || isUnnamed(field, value);
      const shown = isZero && !field.presence ? undefined : one(value);
      if (shown !== undefined && !isEmptyMessage(field, shown)) result[field.name] = shown;
    }
  }
  return result;
}

/** What we refuse and protobufjs, which is laxer, takes. */
const stricter = new Set(['invalid-utf8', 'out-of-range', 'invalid-tag', 'too-deep', 'varint-overflow']);

/** Compares with protobufjs: what we read it reads too, to the same values. */
export function sameAsTheirs(
  type: AnyMessageCodec,
  bytes: Uint8Array,
  message: object | undefined,
  code: string,
): void {
  const their = theirType(type.name);
  let object: Record<string, unknown> | undefined;
  let refusal = '';
  try {
    object = their.toObject(their.decode(bytes), { longs: String, bytes: String });
  } catch (error) {
    refusal = String(error);
  }
  if (message === undefined) {
    rule(object === undefined || stricter.has(code), `${type.name}: refused as ${code}, protobufjs reads it`);
    return;
  }
  // In a message without fields protobufjs mistakes the end of every group.
  if (object === undefined && type.fields.length === 0) return;
  rule(object !== undefined, `${type.name}: read, protobufjs refuses it: ${refusal}`);
  const [ours, other] = [JSON.stringify(plain(type, message)), JSON.stringify(plainOfTheirs(type, object))];
  rule(ours === other, `${type.name}: ${ours.slice(0, 300)} and not as protobufjs ${other.slice(0, 300)}`);
}
