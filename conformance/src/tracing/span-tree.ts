import type { Span } from './collector.ts';

const kinds = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const statuses = ['unset', 'ok', 'error'];

/** The spans of one trace as indented lines, each with all that is said of it but ids and times. */
export function showTrace(spans: readonly Span[], leftOut: ReadonlySet<string> = new Set()): string {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const show = (parent: Span | undefined, depth: number): string[] =>
    spans
      .filter(({ parentSpanId }) => (parent === undefined ? !ids.has(parentSpanId) : parentSpanId === parent.spanId))
      .map((span) => [showSpan(span, depth, leftOut), ...problemsOf(span, parent), ...show(span, depth + 1)].join('\n'))
      // Those of a call that makes several at once end in any order.
      .sort();
  return show(undefined, 0).join('\n');
}

function showSpan(span: Span, depth: number, leftOut: ReadonlySet<string>): string {
  const { name, kind, status, attributes, traceState, parentSpanId, flags } = span;
  const indent = '  '.repeat(depth);
  const lines = [
    `${name} (${kinds[kind]}, ${statuses[status.code]}${status.message === '' ? '' : `: ${status.message}`})`,
    ...(depth === 0 ? [`  parent: ${parentSpanId === '' ? 'none' : parentSpanId}`] : []),
    `  flags: ${flags.toString(16)}${traceState === '' ? '' : `, state: ${traceState}`}`,
    ...[...attributes]
      .filter(([key]) => !leftOut.has(key))
      .sort()
      // Each server has a port of its own.
      .map(([key, value]) => `  ${key}: ${key === 'server.port' ? value.replace(/ .*/, ' …') : value}`),
  ];
  return lines.map((line) => indent + line).join('\n');
}

/** Spans lie within their parents. */
function problemsOf(span: Span, parent: Span | undefined): string[] {
  if (span.endNs < span.startNs) return ['  !! ends before it starts'];
  if (parent === undefined) return [];
  // Both clocks tick in microseconds at best.
  const slackNs = 2_000n;
  const isWithin = span.startNs + slackNs >= parent.startNs && span.endNs <= parent.endNs + slackNs;
  return isWithin ? [] : ['  !! is not within its parent'];
}
