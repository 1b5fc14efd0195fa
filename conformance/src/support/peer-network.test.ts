import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { PeerNetwork } from './peer-network.ts';
import { waitUntil } from './text.ts';

const REQUEST = 'GET /raft HTTP/1.1\r\nX-Server-From: a1\r\n\r\n';
const WAIT_MS = 5000;

/** Members a, b and c, of which b and c answer what they get; `open` connects to one through its proxy. */
async function start(t: TestContext): Promise<{ network: PeerNetwork; open: (to?: 'b' | 'c') => Promise<Line> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const network = new PeerNetwork();
  const target = (server.address() as AddressInfo).port;
  const ports = { b: await network.add('b', target), c: await network.add('c', target) };
  await network.add('a', target);
  network.identify('a1', 'a');
  const lines: Line[] = [];
  t.after(async () => {
    for (const { socket } of lines) socket.destroy();
    await network.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const open = async (to: 'b' | 'c' = 'b'): Promise<Line> => {
    const socket = connect(ports[to], '127.0.0.1');
    await once(socket, 'connect');
    const line = new Line(socket);
    lines.push(line);
    return line;
  };
  return { network, open };
}

class Line {
  received = '';
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString();
    });
  }

  until(text: string): Promise<void> {
    return waitUntil(`"${text}", got "${this.received}"`, WAIT_MS, () => this.received === text, 1);
  }
}

test('a cut direction holds what travels it, in requests and in answers, until it is healed', async (t) => {
  const { network, open } = await start(t);
  const line = await open();
  line.socket.write(REQUEST);
  await line.until(REQUEST);
  for (const [from, to] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    line.received = '';
    network.cut(from, to);
    // By the time another connection, which may be anybody's, has its answer the held one would have come too.
    const other = await open();
    other.socket.write('nobody known');
    line.socket.write('held');
    await other.until('nobody known');
    assert.equal(line.received, '');
    network.heal();
    await line.until('held');
  }
});

test('an isolated member gets nothing from those nobody knows either', async (t) => {
  const { network, open } = await start(t);
  network.isolate('b', 'in');
  const line = await open();
  line.socket.write('nobody known');
  const other = await open('c');
  other.socket.write('to another');
  await other.until('to another');
  assert.equal(line.received, '');
  network.heal();
  await line.until('nobody known');
});

test('a reset ends the connections of a pair at once', async (t) => {
  const { network, open } = await start(t);
  const line = await open();
  line.socket.write(REQUEST);
  await line.until(REQUEST);
  const ended = once(line.socket, 'close');
  network.cut('a', 'b', { reset: true });
  await ended;
});

test('delays add up over both directions', async (t) => {
  const { network, open } = await start(t);
  const line = await open();
  line.socket.write(REQUEST);
  await line.until(REQUEST);
  line.received = '';
  network.delayAll(60);
  const began = Date.now();
  line.socket.write('late');
  await line.until('late');
  // Timers may be a millisecond early.
  assert.ok(Date.now() - began >= 118);
});
