import type { Attributes, AttributeValue, HrTime } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import {
  delimitedLength,
  tagLength,
  varintLength64,
  WireType,
  writeDelimited,
  writeTag,
  writeVarint64,
} from '@quorate/api';
import { allocateUnsafe, concatBytes, utf8ToBytes } from '@quorate/base';
import { isInt64 } from './attributes.ts';

/**
 * The spans as an opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest:
 *
 *     ExportTraceServiceRequest { 1: ResourceSpans }
 *     ResourceSpans             { 1: Resource, 2: ScopeSpans }
 *     Resource                  { 1: KeyValue }
 *     ScopeSpans                { 1: InstrumentationScope { 1: name, 2: version }, 2: Span }
 *     Span                      { 1: trace id, 2: span id, 3: trace state, 4: parent's span id, 5: name, 6: kind, 7: start, 8: end,
 *                                 9: KeyValue, 15: Status { 2: message, 3: code }, 16: flags }
 *     KeyValue                  { 1: key, 2: AnyValue { 1: string | 2: bool | 3: int | 4: double } }
 */
export function encodeSpans(spans: readonly ReadableSpan[]): Uint8Array {
  const [first] = spans;
  if (first === undefined) return new Uint8Array(0);
  // One provider makes them all.
  const resource = message(1, keyValues(1, first.resource.attributes));
  const scopes = [...new Set(spans.map(({ instrumentationScope }) => instrumentationScope))].map((scope) => {
    const own = spans.filter(({ instrumentationScope }) => instrumentationScope === scope);
    const named = message(1, [text(1, scope.name), text(2, scope.version ?? '')]);
    return message(2, [named, ...own.map(encodeSpan)]);
  });
  return message(1, [resource, ...scopes]);
}

/** In the flags: whether the parent is of another process is told, and it is. */
const tellsRemote = 0x100;
const isRemote = 0x200;

function encodeSpan(span: ReadableSpan): Uint8Array {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const parent = span.parentSpanContext;
  return message(2, [
    delimited(1, hexBytes(traceId)),
    delimited(2, hexBytes(spanId)),
    text(3, traceState?.serialize() ?? ''),
    delimited(4, hexBytes(parent?.spanId ?? '')),
    text(5, span.name),
    // The library counts from 0, where OTLP has "unspecified".
    varint(6, BigInt(span.kind + 1)),
    time(7, span.startTime),
    time(8, span.endTime),
    ...keyValues(9, span.attributes),
    message(15, [text(2, span.status.message ?? ''), varint(3, BigInt(span.status.code))]),
    fixed32(16, traceFlags | tellsRemote | (parent?.isRemote === true ? isRemote : 0)),
  ]);
}

function keyValues(field: number, attributes: Attributes): Uint8Array[] {
  return Object.entries(attributes).map(([name, value]) =>
    message(field, [text(1, name), message(2, [anyValue(name, value)])]),
  );
}

function anyValue(name: string, value: AttributeValue | undefined): Uint8Array {
  switch (typeof value) {
    case 'string':
      return isInt64(name) ? varint(3, BigInt(value)) : text(1, value);
    case 'boolean':
      return varint(2, value ? 1n : 0n);
    case 'number':
      return Number.isSafeInteger(value) ? varint(3, BigInt(value)) : double(4, value);
    default:
      // Neither etcd's attributes nor those of the environment are lists.
      return new Uint8Array(0);
  }
}

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  return delimited(field, concatBytes(parts));
}

function text(field: number, value: string): Uint8Array {
  return delimited(field, utf8ToBytes(value));
}

function delimited(field: number, bytes: Uint8Array): Uint8Array {
  const target = allocateUnsafe(tagLength(field) + delimitedLength(bytes.length));
  writeDelimited(bytes, target, writeTag(field, WireType.bytes, target, 0));
  return target;
}

function varint(field: number, value: bigint): Uint8Array {
  const target = allocateUnsafe(tagLength(field) + varintLength64(value));
  writeVarint64(value, target, writeTag(field, WireType.varint, target, 0));
  return target;
}

function time(field: number, [seconds, nanoseconds]: HrTime): Uint8Array {
  return fixed64(field, (view, at) => {
    view.setBigUint64(at, BigInt(seconds) * 1_000_000_000n + BigInt(Math.round(nanoseconds)), true);
  });
}

function double(field: number, value: number): Uint8Array {
  return fixed64(field, (view, at) => view.setFloat64(at, value, true));
}

function fixed64(field: number, write: (view: DataView, at: number) => void): Uint8Array {
  const target = new Uint8Array(tagLength(field) + 8);
  write(new DataView(target.buffer), writeTag(field, WireType.fixed64, target, 0));
  return target;
}

function fixed32(field: number, value: number): Uint8Array {
  const target = new Uint8Array(tagLength(field) + 4);
  new DataView(target.buffer).setUint32(writeTag(field, WireType.fixed32, target, 0), value, true);
  return target;
}

function hexBytes(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
