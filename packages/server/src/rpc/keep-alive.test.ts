import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import type { StreamCall } from '@quorate/transport';
import type { LeaderLeases, LeaseAnswer } from '../member/leader-leases.ts';
import { KeepAliveStream } from './keep-alive.ts';
import { type MemberContext, OpenStreams } from './member-context.ts';

const found = (lease: number): LeaseAnswer<number> => ({ kind: 'found', lease });

/** A stream whose client sends by `send`; leases below 10 answer at once, others when `answer` says so. */
function makeStream() {
  let onMessage: (bytes: Uint8Array) => void = () => {};
  let onEnd: () => void = () => {};
  const log: string[] = [];
  const pending = new Map<bigint, (answer: LeaseAnswer<number>) => void>();
  const call = {
    metadata: new Map(),
    cancelled: false,
    onDrain() {},
    onCancel() {},
    onMessage: (callback: typeof onMessage) => {
      onMessage = callback;
    },
    onEnd: (callback: typeof onEnd) => {
      onEnd = callback;
    },
    sendHeaders() {},
    pause: () => log.push('pause'),
    resume() {},
    write: (bytes: Uint8Array) => {
      const { id, ttl } = etcdserverpb.LeaseKeepAliveResponse.decode(bytes.slice());
      log.push(`${id}: ${ttl}`);
      return true;
    },
    end: () => log.push('end'),
    fail: (code: number, message: string) => log.push(`fail ${code} ${message}`),
  };
  const streams = new OpenStreams();
  const member = {
    streams,
    clusterId: 1n,
    memberId: 1n,
    appliedTerm: () => 1,
    revision: () => 1,
    access: { isOn: false },
  };
  const renew = (id: bigint) =>
    id < 10n ? found(Number(id)) : new Promise<LeaseAnswer<number>>((resolve) => pending.set(id, resolve));
  new KeepAliveStream(
    call as unknown as StreamCall,
    member as unknown as MemberContext,
    { renew } as unknown as LeaderLeases,
  );
  const { LeaseKeepAliveRequest } = etcdserverpb;
  return {
    log,
    streams,
    send: (id: bigint) => onMessage(LeaseKeepAliveRequest.encode(LeaseKeepAliveRequest.create({ id })).slice()),
    halfClose: () => onEnd(),
    answer: async (id: bigint, answer: LeaseAnswer<number>) => {
      pending.get(id)?.(answer);
      await new Promise(setImmediate);
    },
  };
}

test('answers come in the order of the requests, also behind one that has to wait', async () => {
  const { log, send, halfClose, answer } = makeStream();
  for (const id of [1n, 10n, 2n, 11n, 3n]) send(id);
  halfClose();
  assert.deepEqual(log, ['1: 1']);
  await answer(10n, { kind: 'not-found' });
  assert.deepEqual(log, ['1: 1', '10: 0', '2: 2']);
  await answer(11n, found(7));
  assert.deepEqual(log.slice(3), ['11: 7', '3: 3', 'end']);
});

test('a renewal that failed ends the stream with what it failed with; what waits behind it is not answered', async () => {
  const { log, send, answer, streams } = makeStream();
  send(10n);
  send(1n);
  await answer(10n, { kind: 'failed', symbol: 'ErrGRPCNoLeader' });
  assert.deepEqual(log, ['fail 14 etcdserver: no leader']);
  assert.equal(streams.size, 0);
});

test('a client that sends on while one waits is held up', () => {
  const { log, send } = makeStream();
  send(10n);
  for (let i = 0; i < 128; i++) send(1n);
  assert.deepEqual(log, ['pause']);
});
