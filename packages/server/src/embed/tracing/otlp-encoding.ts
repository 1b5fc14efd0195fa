import type { Attributes, AttributeValue, HrTime } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { FieldWriter } from '../../field-writer.ts';
import { int64Names } from './attributes.ts';

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
  const writer = new FieldWriter();
  const [first] = spans;
  if (first !== undefined) writer.message(1, () => writeResourceSpans(writer, first.resource, spans));
  return writer.finish();
}

/** One provider makes all spans, so they have one resource. */
function writeResourceSpans(writer: FieldWriter, resource: Resource, spans: readonly ReadableSpan[]): void {
  writer.message(1, () => writeAttributes(writer, 1, resource.attributes, none));
  for (const scope of new Set(spans.map(({ instrumentationScope }) => instrumentationScope))) {
    writer.message(2, () => {
      writer.message(1, () => {
        writer.text(1, scope.name);
        writer.text(2, scope.version ?? '');
      });
      for (const span of spans) {
        if (span.instrumentationScope === scope) writer.message(2, () => writeSpan(writer, span));
      }
    });
  }
}

/** In the flags: whether the parent is of another process is told, and it is. */
const tellsRemote = 0x100;
const isRemote = 0x200;

function writeSpan(writer: FieldWriter, span: ReadableSpan): void {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const parent = span.parentSpanContext;
  writer.bytes(1, hexBytes(traceId));
  writer.bytes(2, hexBytes(spanId));
  writer.text(3, traceState?.serialize() ?? '');
  writer.bytes(4, hexBytes(parent?.spanId ?? ''));
  writer.text(5, span.name);
  // The library counts from 0, where OTLP has "unspecified".
  writer.varint(6, span.kind + 1);
  writer.fixed64(7, nanoseconds(span.startTime));
  writer.fixed64(8, nanoseconds(span.endTime));
  writeAttributes(writer, 9, span.attributes, int64Names);
  writer.message(15, () => {
    writer.text(2, span.status.message ?? '');
    writer.varint(3, span.status.code);
  });
  writer.fixed32(16, traceFlags | tellsRemote | (parent?.isRemote === true ? isRemote : 0));
}

const none: ReadonlySet<string> = new Set();

/** @param int64s those whose text is a 64-bit integer */
function writeAttributes(
  writer: FieldWriter,
  field: number,
  attributes: Attributes,
  int64s: ReadonlySet<string>,
): void {
  for (const [name, value] of Object.entries(attributes)) {
    writer.message(field, () => {
      writer.text(1, name);
      writer.message(2, () => writeValue(writer, value, int64s.has(name)));
    });
  }
}

/** Neither etcd's attributes nor those of the environment are lists. */
function writeValue(writer: FieldWriter, value: AttributeValue | undefined, isInt64: boolean): void {
  if (typeof value === 'string') {
    if (isInt64) writer.int64(3, BigInt(value));
    else writer.text(1, value);
  } else if (typeof value === 'boolean') writer.varint(2, Number(value));
  else if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) writer.varint(3, value);
    else writer.double(4, value);
  }
}

function nanoseconds([seconds, rest]: HrTime): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(Math.round(rest));
}

function hexBytes(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
