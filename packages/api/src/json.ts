import { decodeBase64, encodeBase64 } from './base64.ts';
import type { AnyMessageCodec, Field, MessageCodec } from './codec.ts';
import { JsonError, JsonNumber, JsonObject, type JsonValue, parseJson } from './json-parse.ts';

/**
 * Messages as the JSON of etcd's gateway: field names as in the .proto files (read also in lowerCamelCase), 64-bit integers as decimal
 * strings, bytes as base64, enums by name. Zero values are left out, but not a set sub-message or member of a oneof.
 */

export type JsonOutput = boolean | number | string | JsonOutput[] | { [name: string]: JsonOutput };

/** A value for `JSON.stringify`, with keys in declaration order. */
export function toJson<M extends object>(type: MessageCodec<M>, message: M): { [name: string]: JsonOutput } {
  const values = message as Record<string, unknown>;
  const entries: [string, JsonOutput][] = [];
  for (const field of type.fields) {
    const value = values[field.key];
    if (isLeftOut(field, value)) continue;
    entries.push([field.name, fieldToJson(field, value)]);
  }
  return Object.fromEntries(entries);
}

function isLeftOut(field: Field, value: unknown): boolean {
  if (value === undefined) return true;
  if (field.label === 'repeated') return (value as unknown[]).length === 0;
  if (field.label === 'map') return (value as Map<string, unknown>).size === 0;
  if (field.presence || field.kind === 'message') return false;
  if (field.kind === 'bytes') return (value as Uint8Array).length === 0;
  return value === 0 || value === 0n || value === false || value === '';
}

function fieldToJson(field: Field, value: unknown): JsonOutput {
  if (field.label === 'repeated') return (value as unknown[]).map((item) => valueToJson(field, item));
  if (field.label !== 'map') return valueToJson(field, value);
  return Object.fromEntries([...(value as Map<string, unknown>)].map(([key, item]) => [key, valueToJson(field, item)]));
}

function valueToJson(field: Field, value: unknown): JsonOutput {
  switch (field.kind) {
    case 'message':
      return toJson(messageOf(field), value as object);
    case 'bytes':
      return encodeBase64(value as Uint8Array);
    case 'int64':
    case 'uint64':
      return String(value);
    case 'enum':
      return enumName(field, value as number) ?? (value as number);
    default:
      return value as boolean | number | string;
  }
}

function messageOf(field: Field): AnyMessageCodec {
  if (field.message === undefined) throw new TypeError(`${field.name} is no message`);
  return field.message();
}

function enumName(field: Field, number: number): string | undefined {
  for (const [name, value] of Object.entries(field.values ?? {})) if (value === number) return name;
  return undefined;
}

function enumNumber(field: Field, name: string): number | undefined {
  return field.values && Object.hasOwn(field.values, name) ? field.values[name] : undefined;
}

/**
 * A message from the first JSON value of `text`; what follows is not looked at.
 * @throws JsonError
 */
export function fromJsonText<M extends object>(type: MessageCodec<M>, text: string): M {
  const parsed = parseJson(text);
  if (parsed === undefined) throw new JsonError('unexpected end of JSON input', true);
  return fromJson(type, parsed.value);
}

/**
 * A message from a parsed value, which must be an object. Unknown fields and names of enum values are ignored, null
 * means absent.
 * @throws JsonError when a value does not fit, a field comes twice (also once by each spelling) or a oneof has two members.
 */
export function fromJson<M extends object>(type: MessageCodec<M>, value: JsonValue): M {
  if (!(value instanceof JsonObject)) throw new JsonError(`${type.name}: an object is needed`);
  const message = type.create();
  const target = message as Record<string, unknown>;
  const seen = new Set<string>();
  for (const [name, member] of value.members) {
    const field = type.fields.find((candidate) => candidate.name === name || candidate.jsonName === name);
    if (field === undefined) continue;
    see(type, seen, field.name);
    if (member === null) continue;
    if (field.oneof !== undefined) see(type, seen, `oneof ${field.oneof}`);
    const result = fieldFromJson(type, field, member);
    if (result !== undefined) target[field.key] = result;
  }
  return message;
}

function see(type: AnyMessageCodec, seen: Set<string>, name: string): void {
  if (seen.has(name)) throw new JsonError(`${type.name}: ${name} is set twice`);
  seen.add(name);
}

function fieldFromJson(type: AnyMessageCodec, field: Field, value: JsonValue): unknown {
  if (field.label === 'repeated') {
    if (!Array.isArray(value)) throw unfit(type, field);
    return (value as readonly JsonValue[])
      .map((item) => valueFromJson(type, field, item))
      .filter((item) => item !== undefined);
  }
  if (field.label !== 'map') return valueFromJson(type, field, value);
  if (!(value instanceof JsonObject)) throw unfit(type, field);
  return new Map(value.members.map(([key, item]) => [key, valueFromJson(type, field, item)]));
}

function unfit(type: AnyMessageCodec, field: Field): JsonError {
  return new JsonError(`${type.name}: invalid value for field ${field.name}`);
}

/** Undefined for the name of an enum value that is not known. */
function valueFromJson(type: AnyMessageCodec, field: Field, value: JsonValue): unknown {
  let result: unknown;
  switch (field.kind) {
    case 'message':
      return fromJson(messageOf(field), value);
    case 'bool':
      result = typeof value === 'boolean' ? value : undefined;
      break;
    case 'string':
      result = typeof value === 'string' ? value : undefined;
      break;
    case 'bytes':
      result = typeof value === 'string' ? decodeBase64(value) : undefined;
      break;
    case 'enum':
      if (typeof value === 'string') return enumNumber(field, value);
      result = value instanceof JsonNumber ? integerFromJson(value.text, 'enum') : undefined;
      break;
    default: {
      const text = value instanceof JsonNumber ? value.text : typeof value === 'string' ? value : '';
      result = integerFromJson(text, field.kind, field);
    }
  }
  if (result === undefined) throw unfit(type, field);
  return result;
}

const ranges = {
  enum: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
} as const;

/** `1.0` and `1e3` are whole numbers too. Undefined when the text is no number, not whole, or out of range. */
function integerFromJson(
  text: string,
  kind: keyof typeof ranges,
  { big, saturates }: Pick<Field, 'big' | 'saturates'> = {},
): number | bigint | undefined {
  const match = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole, fraction = '', exponent = '0'] = match;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  // The decimal point moves to behind `point` of the digits; more than 20 of them are more than 64 bits.
  const point = digits === '' ? 0 : digits.length - fraction.length + Number(exponent);
  if (point > 20) return undefined;
  const kept = digits.slice(0, Math.max(point, 0)).padEnd(Math.max(point, 0), '0');
  if (/[1-9]/.test(digits.slice(Math.max(point, 0)))) return undefined;
  const value = digits === '' ? 0n : BigInt(`${sign}${kept === '' ? '0' : kept}`);
  const [low, high] = ranges[kind];
  if (value < low || value > high) return undefined;
  if (big) return value;
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  if (saturates) return number > 0 ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
  return undefined;
}
