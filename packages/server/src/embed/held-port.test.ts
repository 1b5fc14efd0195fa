import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { Authority } from '../tls/testing/authority.ts';
import { HeldPort } from './held-port.ts';

const local = { host: '127.0.0.1' };

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

function echo(socket: Socket): void {
  socket.pipe(socket);
}

async function answerOf(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return bytes.toString();
}

test('connections wait with what they have sent, and are served with those that come later', async () => {
  const port = await HeldPort.bind(local);
  const early = await dial(port.port);
  early.write('early');
  port.serve(createServer(echo), false);
  assert.equal(await answerOf(early), 'early');
  const late = await dial(port.port);
  late.write('late');
  assert.equal(await answerOf(late), 'late');
  await port.close();
  early.write('still open');
  assert.equal(await answerOf(early), 'still open');
  early.destroy();
  late.destroy();
});

test('a TLS handshake waits, too', async () => {
  const port = await HeldPort.bind(local);
  const early = connectTls({ host: '127.0.0.1', port: port.port, rejectUnauthorized: false });
  early.write('early');
  await once(early, 'connect');
  port.serve(createTlsServer(new Authority().issue({}), echo), true);
  assert.equal(await answerOf(early), 'early');
  const late = connectTls({ host: '127.0.0.1', port: port.port, rejectUnauthorized: false });
  late.write('late');
  assert.equal(await answerOf(late), 'late');
  early.destroy();
  late.destroy();
  await port.close();
});

test('of too many that wait the oldest is cut', async () => {
  const port = await HeldPort.bind(local, { heldMax: 2 });
  const [first, second, third] = [await dial(port.port), await dial(port.port), await dial(port.port)];
  await once(first, 'close');
  port.serve(createServer(echo), false);
  for (const socket of [second, third]) {
    socket.write('here');
    assert.equal(await answerOf(socket), 'here');
    socket.destroy();
  }
  await port.close();
});

test('what waits is cut when the port is closed, and a taken port is refused', async () => {
  const port = await HeldPort.bind(local);
  await assert.rejects(HeldPort.bind({ ...local, port: port.port }), { code: 'EADDRINUSE' });
  const waiting = await dial(port.port);
  const cut = once(waiting, 'close');
  // The server has it only a turn after the client.
  const again = await dial(port.port);
  again.destroy();
  await port.close();
  await cut;
});
