import type { Attributes } from '@opentelemetry/api';
import type { SpanAttributes } from '../../rpc/request-spans.ts';

/** Attributes of spans that are 64-bit integers. OpenTelemetry's library has none: to it they are texts. */
export const int64Names: ReadonlySet<string> = new Set(['id', 'success_first_lease']);

export function toAttributes(given: SpanAttributes): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(given)) attributes[name] = typeof value === 'bigint' ? `${value}` : value;
  return attributes;
}
