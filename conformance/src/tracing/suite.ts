import { runPart, type ServerPair, type SideName } from '../grpc/pair.ts';
import type { Options } from '../options.ts';
import type { Report } from '../support/report.ts';
import { scratchDir } from '../support/server.ts';
import { waitUntil } from '../support/text.ts';
import { type TracedCall, tracedCalls } from './calls.ts';
import { Collector, type Span } from './collector.ts';
import { showTrace } from './span-tree.ts';

type Collectors = Record<SideName, Collector>;

const WAIT_MS = 20_000;

function flags(collectors: Collectors, rate: number, more: readonly string[]) {
  return (side: SideName): string[] => [
    '--enable-distributed-tracing',
    `--distributed-tracing-address=${collectors[side].address}`,
    `--distributed-tracing-sampling-rate=${rate}`,
    ...more,
  ];
}

const traceIdOf = (index: number): string => (index + 1).toString(16).padStart(32, '0');

function metadataOf(traceId: string, isSampled = true): Record<string, string> {
  return { traceparent: `00-${traceId}-00f067aa0ba902b7-0${Number(isSampled)}`, tracestate: 'vendor=1' };
}

const ofTrace = (collector: Collector, traceId: string): Span[] =>
  collector.spans.filter((span) => span.traceId === traceId);

/** Waits until both have sent what ended before now: a call of its own is sent behind it. */
async function settle(pair: ServerPair, collectors: Collectors, index: number): Promise<void> {
  const traceId = traceIdOf(index);
  await pair.both((connection) => connection.unary('Maintenance.Status', {}, { metadata: metadataOf(traceId) }));
  for (const collector of Object.values(collectors)) {
    await waitUntil('the last span', WAIT_MS, async () => ofTrace(collector, traceId).length > 0);
  }
}

/** Every kind of call, each in a trace of its own whose caller wants it sampled. */
async function compareCalls(pair: ServerPair, collectors: Collectors): Promise<void> {
  const runs = tracedCalls.map((call, index) => ({ call, traceId: traceIdOf(index) }));
  for (const { call, traceId } of runs) {
    await pair.both((connection, side) =>
      call.run({ connection, endpoint: pair.server(side).endpoint, metadata: metadataOf(traceId) }),
    );
  }
  await settle(pair, collectors, runs.length);
  for (const { call, traceId } of runs) compareTrace(pair, collectors, call, traceId);
}

function compareTrace(pair: ServerPair, collectors: Collectors, call: TracedCall, traceId: string): void {
  const show = (side: SideName) => showTrace(ofTrace(collectors[side], traceId), new Set(call.leftOut));
  const reference = show('reference');
  pair.require(`${call.name}: there are spans`, reference !== '', 'the reference has none');
  pair.check(call.name, reference, show('underTest'));
}

async function compareSampling(pair: ServerPair, collectors: Collectors): Promise<void> {
  const put = { key: Buffer.from('a') };
  const decided = traceIdOf(0);
  await pair.both((connection) => connection.unary('KV.Put', put, { metadata: metadataOf(decided, false) }));
  await pair.both((connection) => connection.unary('KV.Put', put));
  const broken = { traceparent: `00-${traceIdOf(1)}-0000000000000000-01` };
  await pair.both((connection) => connection.unary('KV.Put', put, { metadata: broken }));
  await settle(pair, collectors, 2);
  const names = (side: SideName) =>
    collectors[side].spans
      .filter(({ traceId }) => traceId !== traceIdOf(2))
      .map(({ name, parentSpanId }) => `${name} ${parentSpanId === '' ? 'root' : 'child'}`)
      .sort()
      .join('\n');
  // How often the servers were asked for their health while they started is chance.
  const withoutHealth = (text: string) => text.replace(/^range root\n?/gm, '');
  pair.check('what is sampled', withoutHealth(names('reference')), withoutHealth(names('underTest')));
  const resources = (side: SideName) =>
    [...new Set(collectors[side].spans.map(({ resource }) => JSON.stringify([...resource].sort())))].join('\n');
  pair.check('resource', resources('reference'), resources('underTest'));
}

/** A span whose batch would be sent in a minute arrives when its server stops. */
async function compareStop(pair: ServerPair, collectors: Collectors): Promise<void> {
  const metadata = metadataOf(traceIdOf(0));
  await pair.both((connection) => connection.unary('KV.Put', { key: Buffer.from('a') }, { metadata }));
  const names = (side: SideName) => collectors[side].spans.map(({ name }) => name).join();
  const early = { reference: names('reference'), underTest: names('underTest') };
  await pair.close();
  pair.require('nothing is sent before', early.reference === '' && early.underTest === '', JSON.stringify(early));
  pair.check('all is sent at the stop', names('reference'), names('underTest'));
  pair.require('there is something to send', names('reference') !== '', 'the reference sent nothing');
}

interface Part {
  readonly name: string;
  readonly rate: number;
  /** Between two batches. */
  readonly delayMs: number;
  readonly flags?: readonly string[];
  readonly body: (pair: ServerPair, collectors: Collectors) => Promise<void>;
}

const parts: readonly Part[] = [
  { name: 'calls', rate: 0, delayMs: 100, body: compareCalls },
  { name: 'traces of callers', rate: 0, delayMs: 100, body: compareSampling },
  {
    ...{ name: 'every trace', rate: 1_000_000, delayMs: 100, body: compareSampling },
    flags: ['--distributed-tracing-instance-id=i', '--distributed-tracing-service-name=s'],
  },
  { name: 'stop', rate: 0, delayMs: 60_000, body: compareStop },
];

/** Spans as OpenTelemetry's collectors are sent them. */
export async function runTracingSuite(options: Options, report: Report): Promise<void> {
  for (const { name, rate, delayMs, flags: more = [], body } of parts) {
    const collectors = { reference: await Collector.start(), underTest: await Collector.start() };
    // Both servers are children of this process.
    process.env.OTEL_BSP_SCHEDULE_DELAY = String(delayMs);
    try {
      const args = flags(collectors, rate, more);
      await runPart(`tracing: ${name}`, options, report, scratchDir('tracing'), args, (pair) => body(pair, collectors));
    } finally {
      delete process.env.OTEL_BSP_SCHEDULE_DELAY;
      for (const collector of Object.values(collectors)) collector.close();
    }
  }
}
