import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { nextTurn, silentLogger } from '@quorate/base';
import { NodeClock, NodeRandom } from '@quorate/base/node';
import { createGrpcServer, type UnaryCall } from '@quorate/transport';
import { listen } from '@quorate/transport/node';
import { ManualClock } from '../../testing/manual-clock.ts';
import { openTracing } from './open-tracing.ts';

const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const nothing = new Uint8Array(0);

/** A collector that answers as `serve` does. */
async function startCollector(serve: (call: UnaryCall, request: Uint8Array) => void) {
  const server = createGrpcServer({ clock: new NodeClock(), logger: silentLogger });
  server.registerUnary(exportPath, serve);
  const listener = await listen(server, { host: '127.0.0.1', port: 0 });
  return {
    address: listener.address,
    close: async () => {
      await listener.close();
      server.close();
    },
  };
}

function config(address: string) {
  return { address, serviceName: 's', instanceId: 'i', samplesPerMillion: 1_000_000 };
}

function loggerInto(lines: string[]) {
  return {
    ...silentLogger,
    warn: (message: string, fields?: object) => lines.push(`${message} ${JSON.stringify(fields)}`),
  };
}

const deps = { clock: new NodeClock(), random: new NodeRandom(), logger: silentLogger };

test('what is recorded is sent before tracing is closed', async (t) => {
  const requests: string[] = [];
  const collector = await startCollector((call, request) => {
    requests.push(Buffer.from(request).toString('latin1'));
    call.reply(nothing, 0, 0);
  });
  t.after(() => collector.close());
  const tracing = openTracing(deps, config(collector.address));
  tracing.spans.begin(undefined, 'the span', 0, () => ({}))?.end();
  await tracing.close();
  assert.equal(requests.length, 1);
  for (const text of ['the span', 'service.name', 'service.instance.id']) assert.ok(requests[0]?.includes(text), text);
});

test('spans that are refused are dropped and told of', async (t) => {
  const collector = await startCollector((call) => call.fail(3, 'not these'));
  t.after(() => collector.close());
  const lines: string[] = [];
  const tracing = openTracing({ ...deps, logger: loggerInto(lines) }, config(collector.address));
  tracing.spans.begin(undefined, 'span', 0, () => ({}))?.end();
  await tracing.close();
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^failed to export spans .*"spans":1,.*not these/);
});

test('a collector that does not answer holds nobody up for long', async (t) => {
  const clock = new ManualClock();
  let asked = (): void => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const collector = await startCollector(() => asked());
  t.after(() => collector.close());
  const lines: string[] = [];
  const tracing = openTracing({ ...deps, clock, logger: loggerInto(lines) }, config(collector.address));
  tracing.spans.begin(undefined, 'span', 0, () => ({}))?.end();
  const closed = tracing.close();
  await isAsked;
  await clock.advance(5_000);
  await closed;
  assert.match(lines[0] ?? '', /^gave up sending the last spans/);
});

/** The modules of OpenTelemetry that a process has loaded when its member serves. */
async function loadedWith(flags: Record<string, string>): Promise<number> {
  const entry = new URL('../../index.js', import.meta.url).href;
  const program = `
    import { createRequire } from 'node:module';
    import { startQuorate } from ${JSON.stringify(entry)};
    const member = await startQuorate({ inMemory: true, flags: ${JSON.stringify(flags)} });
    const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('@opentelemetry'));
    await member.stop();
    console.log(loaded.length);`;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program]);
  return Number(stdout);
}

test('a batch that waits to be sent again is given up with tracing', async (t) => {
  const clock = new ManualClock();
  const collector = await startCollector((call) => call.fail(14, 'later'));
  t.after(() => collector.close());
  const lines: string[] = [];
  let isRefused = (): void => {};
  const refused = new Promise<void>((resolve) => {
    isRefused = resolve;
  });
  const random = {
    // Drawn for the length of the pause.
    nextUint32: () => {
      isRefused();
      return 0xffff_ffff;
    },
  };
  const tracing = openTracing({ clock, random, logger: loggerInto(lines) }, config(collector.address));
  tracing.spans.begin(undefined, 'span', 0, () => ({}))?.end();
  const closed = tracing.close();
  await refused;
  await clock.advance(5_000);
  await closed;
  await nextTurn(deps.clock);
  assert.deepEqual(
    lines.map((line) => line.split(' {')[0]),
    ['gave up sending the last spans', 'failed to export spans'],
  );
});

test("nothing of OpenTelemetry's is loaded unless tracing is on", async () => {
  assert.equal(await loadedWith({}), 0);
  assert.ok((await loadedWith({ 'enable-distributed-tracing': 'true' })) > 0);
});
