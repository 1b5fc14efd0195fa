import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { HandshakeQueue } from './handshake-queue.ts';

function socket(): Socket {
  return new Duplex({ read() {}, write: (_, __, done) => done() }) as unknown as Socket;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function make(limits: { readonly activeMax: number; readonly pendingMax: number }) {
  const begun: Socket[] = [];
  const cut: Socket[] = [];
  const time = { nowMs: 0 };
  let prepared = 0;
  const queue = new HandshakeQueue(
    {
      prepare: async () => void prepared++,
      begin: (one) => begun.push(one),
      overflow: (one) => cut.push(one),
      pause: turn,
      nowMs: () => time.nowMs,
    },
    { ...limits, stallMs: 5, timeoutMs: 10 },
  );
  return { queue, begun, cut, time, prepared: () => prepared };
}

test('a few are under way at a time, and begin after what has to be done before', async () => {
  const { queue, begun, prepared } = make({ activeMax: 2, pendingMax: 100 });
  const sockets = [socket(), socket(), socket(), socket(), socket()];
  for (const one of sockets) queue.add(one);
  assert.deepEqual([begun.length, prepared()], [0, 1]);
  await turn();
  await turn();
  assert.deepEqual(begun, sockets.slice(0, 2));
  queue.ended();
  await turn();
  assert.deepEqual(begun, sockets.slice(0, 3));
  queue.ended();
  queue.ended();
  await turn();
  assert.deepEqual(begun, sockets);
});

test('those that wait for slow clients do not hold up the others', async () => {
  const { queue, begun, time } = make({ activeMax: 2, pendingMax: 100 });
  const sockets = [socket(), socket(), socket(), socket(), socket()];
  for (const one of sockets) queue.add(one);
  await turn();
  time.nowMs = 4;
  await turn();
  assert.equal(begun.length, 2);
  time.nowMs = 5;
  await turn();
  assert.equal(begun.length, 4);
  assert.equal(queue.pending, 5);
  time.nowMs = 10;
  await turn();
  assert.deepEqual(begun, sockets);
});

test('one that is gone before its turn is passed over', async () => {
  const { queue, begun } = make({ activeMax: 2, pendingMax: 100 });
  const gone = socket();
  queue.add(gone);
  gone.destroy(new Error('ECONNRESET'));
  await turn();
  assert.deepEqual([begun.length, queue.pending], [0, 0]);
});

test('more than may be pending are cut, until others are done', async () => {
  const { queue, begun, cut, time } = make({ activeMax: 8, pendingMax: 2 });
  queue.add(socket());
  queue.add(socket());
  await turn();
  assert.equal(queue.pending, 2);
  const third = socket();
  queue.add(third);
  assert.deepEqual([cut, third.destroyed], [[third], true]);
  queue.ended();
  queue.add(socket());
  await turn();
  assert.deepEqual([begun.length, queue.pending], [3, 2]);
  // An end that nobody heard of.
  time.nowMs = 11;
  queue.add(socket());
  await turn();
  assert.deepEqual([begun.length, queue.pending], [4, 1]);
});
