import type { AnyMessageCodec, Field } from '../codec.ts';

/** A deliberately dumb twin of the generated encoders: arrays of bytes, bigint arithmetic, nothing shared with them. */

const proto2Types = /^(?:raftpb|walpb|snappb)\.|^etcdserverpb\.(?:Metadata|Request)$/;
const packedFields = new Set(['filters']);

export function referenceVarint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

const delimited = (content: Iterable<number>): number[] => {
  const bytes = [...content];
  return [...referenceVarint(BigInt(bytes.length)), ...bytes];
};

function referenceValue(field: Field, value: unknown): number[] {
  switch (field.kind) {
    case 'bytes':
      return delimited(value as Uint8Array);
    case 'string':
      return delimited(utf8(value as string));
    case 'message':
      return delimited(referenceEncode((field.message as () => AnyMessageCodec)(), value as object));
    case 'bool':
      return [value ? 1 : 0];
    default:
      return referenceVarint(BigInt(value as number | bigint));
  }
}

function utf8(text: string): number[] {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) as number;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
    else if (point < 0x1_0000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    else {
      bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    }
  }
  return bytes;
}

function isDelimited(field: Field): boolean {
  return field.kind === 'bytes' || field.kind === 'string' || field.kind === 'message';
}

function isUnset(type: AnyMessageCodec, field: Field, value: unknown): boolean {
  if (value === undefined) return true;
  if (field.presence || field.kind === 'message') return false;
  if (proto2Types.test(type.name) && field.kind !== 'bytes' && field.name !== 'vote') return false;
  if (proto2Types.test(type.name) && field.name === 'vote' && type.name === 'raftpb.HardState') return false;
  return value === '' || value === false || value === 0 || value === 0n || (value as Uint8Array).length === 0;
}

function referenceField(type: AnyMessageCodec, field: Field, value: unknown): number[] {
  const tag = referenceVarint(BigInt(field.number * 8 + (isDelimited(field) ? 2 : 0)));
  if (field.label === 'map') {
    const keyField: Field = { ...field, kind: 'string' };
    return [...(value as Map<string, unknown>)].flatMap(([key, item]) => [
      ...tag,
      ...delimited([0x0a, ...referenceValue(keyField, key), 0x12, ...referenceValue(field, item)]),
    ]);
  }
  if (field.label === 'repeated') {
    const items = (value as unknown[]).map((item) => referenceValue(field, item));
    if (!packedFields.has(field.name)) return items.flatMap((item) => [...tag, ...item]);
    return items.length === 0 ? [] : [...referenceVarint(BigInt(field.number * 8 + 2)), ...delimited(items.flat())];
  }
  return isUnset(type, field, value) ? [] : [...tag, ...referenceValue(field, value)];
}

export function referenceEncode(type: AnyMessageCodec, message: object): number[] {
  const values = message as Record<string, unknown>;
  const ascending = [...type.fields].sort((a, b) => a.number - b.number);
  const ordered = [...ascending.filter((field) => !field.oneof), ...ascending.filter((field) => field.oneof)];
  return [
    ...ordered.flatMap((field) => referenceField(type, field, values[field.key])),
    ...((values.unknown as Uint8Array | undefined) ?? []),
  ];
}
