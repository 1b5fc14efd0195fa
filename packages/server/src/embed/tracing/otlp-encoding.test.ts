import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { TraceState } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { encodeSpans } from './otlp-encoding.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';

const span: ReadableSpan = {
  name: 'n',
  kind: SpanKind.SERVER,
  spanContext: () => ({ traceId, spanId: '00f067aa0ba902b7', traceFlags: 1, traceState: new TraceState('a=b') }),
  parentSpanContext: { traceId, spanId: 'b7ad6b7169203331', traceFlags: 1, isRemote: true },
  startTime: [1, 2],
  endTime: [1, 3],
  status: { code: SpanStatusCode.ERROR, message: 'm' },
  attributes: { id: '7587862094921392395', s: 'x', t: true, i: 300, d: 0.5 },
  links: [],
  events: [],
  duration: [0, 1],
  ended: true,
  resource: resourceFromAttributes({ id: 'e' }),
  instrumentationScope: { name: 's', version: 'v' },
  droppedAttributesCount: 0,
  droppedEventsCount: 0,
  droppedLinksCount: 0,
};

/** Field numbers and wire types are the first byte of each line, by the .proto files of OTLP 1. */
const spanHex = [
  `0a10${traceId}`,
  '120800f067aa0ba902b7',
  '1a03613d62',
  '2208b7ad6b7169203331',
  '2a016e',
  '3002',
  '3902ca9a3b00000000',
  '4103ca9a3b00000000',
  `4a10${'0a026964'}${'120a'}${'188bc2c3a3f88be0a669'}`,
  `4a08${'0a0173'}${'1203'}${'0a0178'}`,
  `4a07${'0a0174'}${'1202'}${'1001'}`,
  `4a08${'0a0169'}${'1203'}${'18ac02'}`,
  `4a0e${'0a0164'}${'1209'}${'21000000000000e03f'}`,
  '7a05' + '12016d' + '1802',
  '850101030000',
].join('');

const delimited = (tag: string, hex: string): string => {
  const length = hex.length / 2;
  const varint = length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
  return tag + Buffer.from(varint).toString('hex') + hex;
};

test('spans have the form of OTLP, 64-bit integers included', () => {
  const resource = delimited('0a', delimited('0a', `0a026964${'1203'}${'0a0165'}`));
  const scope = delimited('0a', `0a0173${'120176'}`);
  const expected = delimited('0a', resource + delimited('12', scope + delimited('12', spanHex)));
  assert.equal(Buffer.from(encodeSpans([span])).toString('hex'), expected);
});

test('spans are grouped by who recorded them', () => {
  const other = { ...span, instrumentationScope: { name: 'o' } };
  const twice = encodeSpans([span, other, span]);
  const once = encodeSpans([span]);
  assert.ok(twice.length > 2 * once.length);
  const text = Buffer.from(twice).toString('latin1');
  assert.equal(text.split('\n\x01s\x12\x01v').length, 2, 'one group of the first scope');
});
