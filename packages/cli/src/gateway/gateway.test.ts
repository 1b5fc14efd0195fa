import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type LogFields, SeededRandom, silentLogger } from '@quorate/base';
import { type Endpoint, EndpointPicker } from './endpoint-picker.ts';
import { findEndpoints, refuseItself } from './endpoints.ts';
import { readGatewayFlags } from './gateway-flags.ts';
import { startForwarder } from './tcp-forwarder.ts';

const at = (port: number, priority = 0, weight = 0): Endpoint => ({ host: '127.0.0.1', port, priority, weight });
const portsOf = (picker: EndpointPicker, count: number) => Array.from({ length: count }, () => picker.pick()?.port);

/** A server that answers each connection with its name and what it hears. */
async function serve(t: TestContext, name: string, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(`${name} `);
    socket.pipe(socket);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { server, port: (server.address() as AddressInfo).port };
}

async function ask(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.end(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('servers without weights are taken in turn, of the best priority that is reached', () => {
  const [a, b, c] = [at(1, 1), at(2, 1), at(3, 2)] as const;
  const picker = new EndpointPicker([a, b, c], new SeededRandom(1));
  assert.deepEqual(portsOf(picker, 4), [1, 2, 1, 2]);
  picker.deactivate(a);
  assert.deepEqual(portsOf(picker, 2), [2, 2]);
  picker.deactivate(b);
  assert.deepEqual(portsOf(picker, 1), [3]);
  picker.deactivate(c);
  assert.equal(picker.pick(), undefined);
  picker.activate(a);
  assert.deepEqual(portsOf(picker, 1), [1]);
});

test('weights say how often; who has none beside those that have gets a little', () => {
  const picker = new EndpointPicker([at(1, 0, 1), at(2, 0, 3), at(3, 0, 0)], new SeededRandom(2));
  const counts = new Map<number | undefined, number>();
  for (const port of portsOf(picker, 10_000)) counts.set(port, (counts.get(port) ?? 0) + 1);
  const [one = 0, three = 0, none = 0] = [1, 2, 3].map((port) => counts.get(port));
  assert.ok(three / one > 2.7 && three / one < 3.3, `${three} to ${one}`);
  assert.ok(none > 50 && none < 200, `${none}`);
});

test('bytes go both ways; a server that is not reached is passed over and comes back', async (t) => {
  const live = await serve(t, 'live');
  const gone = await serve(t, 'gone');
  gone.server.close();
  await once(gone.server, 'close');
  const lines: string[] = [];
  let onLine = () => {};
  const log = (message: string, fields?: LogFields) => {
    lines.push(`${message} ${fields?.address}`);
    onLine();
  };
  const picker = new EndpointPicker([at(gone.port), at(live.port)], new SeededRandom(3));
  const logger = { ...silentLogger, info: log, warn: log };
  const gateway = await startForwarder(logger, picker, { host: '127.0.0.1', port: 0, retryDelayMs: 20 });
  t.after(() => gateway.stop());
  assert.equal(await ask(gateway.port, 'hello'), 'live hello');
  assert.equal(lines[0], `deactivated endpoint 127.0.0.1:${gone.port}`);
  assert.equal(await ask(gateway.port, 'again'), 'live again');
  await serve(t, 'back', gone.port);
  while (!lines.includes(`activated 127.0.0.1:${gone.port}`)) {
    await new Promise<void>((resolve) => {
      onLine = resolve;
    });
  }
  const answers = [await ask(gateway.port, 'x'), await ask(gateway.port, 'x')];
  assert.deepEqual(answers.sort(), ['back x', 'live x']);
});

test('without any server the client is let go', async (t) => {
  const gone = await serve(t, 'gone');
  gone.server.close();
  await once(gone.server, 'close');
  const picker = new EndpointPicker([at(gone.port)], new SeededRandom(4));
  const gateway = await startForwarder(silentLogger, picker, { host: '127.0.0.1', port: 0, retryDelayMs: 60_000 });
  t.after(() => gateway.stop());
  const socket = connect(gateway.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'close');
});

test('flags are those of etcd, and refused in its words', async () => {
  const config = readGatewayFlags([
    '--endpoints=http://h:1,i:2',
    '--endpoints',
    'j:3',
    '--insecure-discovery',
    '--retry-delay=5s',
  ]);
  assert.deepEqual(config.endpoints, ['http://h:1', 'i:2', 'j:3']);
  assert.equal(config.retryDelayMs, 5_000);
  assert.equal(config.takesInsecure, true);
  const found = await findEndpoints(silentLogger, config);
  assert.deepEqual(
    found.map(({ host, port }) => `${host}:${port}`),
    ['h:1', 'i:2', 'j:3'],
  );
  assert.throws(() => readGatewayFlags(['--foo']), /^GatewayUsageError|Error: unknown flag: --foo\n/);
  assert.throws(() => readGatewayFlags(['--retry-delay=x']), /invalid argument "x" for "--retry-delay" flag/);
  await assert.rejects(findEndpoints(silentLogger, readGatewayFlags(['--endpoints=h'])), /error parsing endpoint "h"/);
});

test('a gateway to itself is refused', async () => {
  await assert.rejects(refuseItself('foo', []), /failed to validate listen address: foo/);
  await assert.rejects(
    refuseItself('127.0.0.1:5', [at(6), at(5)]),
    /SRV or endpoint \(127.0.0.1:5->127.0.0.1:5\) should not resolve to the gateway listen addr \(127.0.0.1:5\)/,
  );
  await refuseItself('127.0.0.1:5', [at(6)]);
});
