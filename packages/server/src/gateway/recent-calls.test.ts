import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@quorate/base';
import { createGrpcServer, type UnaryCall } from '@quorate/transport';
import { ManualClock } from '../testing/manual-clock.ts';
import { DebugPages, type DebugSource } from './debug-pages.ts';
import { RecentCalls } from './recent-calls.ts';
import { FakeExchange } from './testing/fake-exchange.ts';

const path = '/test.Service/Method';
const nothing = new Uint8Array(0);

/** A server whose calls are held until the test answers them. */
function setUp() {
  const clock = new ManualClock();
  const recent = new RecentCalls(clock);
  const server = createGrpcServer({ clock, logger: silentLogger }, { wrapper: recent });
  const held: UnaryCall[] = [];
  server.registerUnary(path, (call) => held.push(call));
  const call = async () => {
    const answer = server.local.unary(path, nothing).then(
      () => {},
      () => {},
    );
    await clock.advance(0);
    return { held: held.at(-1) as UnaryCall, answer };
  };
  const list = (number: number) => recent.page('grpc.Recv.test.Service', number).split('<pre>')[1] ?? '';
  return { clock, recent, call, list };
}

test('calls under way are shown with their age, then with their status among those as slow', async () => {
  const { clock, recent, call, list } = setUp();
  const { held, answer } = await call();
  await clock.advance(600);
  assert.match(recent.page('', -1), /\[1 active\]/);
  assert.match(list(-1), / 0\.600000 \/test\.Service\/Method from in-process: …\n/);
  held.reply(nothing, 0, 0);
  await answer;
  assert.match(recent.page('', -1), /\[0 active\]/);
  assert.match(list(4), /: OK\n/);
  assert.ok(!list(5).includes('Method'), 'it took less than a second');
});

test('failed calls are apart, their texts harmless, and only the last are kept', async () => {
  const { call, list } = setUp();
  for (let index = 0; index < 12; index++) {
    const { held, answer } = await call();
    held.fail(3, `<${index}>`);
    await answer;
  }
  const lines = list(8).trim().split('\n').slice(0, -1);
  assert.equal(lines.length, 10);
  assert.match(lines[0] ?? '', /: InvalidArgument &lt;11&gt;$/);
});

test('the page is there for those on the same machine, where it is switched on', async () => {
  const recent = new RecentCalls(new ManualClock());
  const serve = (remoteAddress: string, requests?: RecentCalls) => {
    const exchange = new FakeExchange('GET', '/debug/requests', {}, { remoteAddress });
    const pages = new DebugPages({} as DebugSource, {
      profiles: true,
      ...(requests === undefined ? {} : { requests }),
    });
    return { isServed: pages.serve(exchange.request, exchange), status: exchange.status };
  };
  assert.deepEqual(serve('127.0.0.1:1', recent), { isServed: true, status: 200 });
  assert.deepEqual(serve('[::1]:1', recent), { isServed: true, status: 200 });
  assert.deepEqual(serve('10.0.0.1:1', recent), { isServed: true, status: 401 });
  assert.deepEqual(serve('127.0.0.1:1'), { isServed: false, status: 0 });
});
