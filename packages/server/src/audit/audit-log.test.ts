import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, services } from '@quorate/api';
import { silentLogger, utf8ToBytes } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createGrpcServer, type GrpcServer } from '@quorate/transport';
import { AuditLog } from './audit-log.ts';

const { PutRequest, TxnRequest, RequestOp, RangeRequest, WatchRequest, WatchCreateRequest, AuthenticateRequest } =
  etcdserverpb;
const bytes = utf8ToBytes;
const putPath = services.KV.methods.Put.path;
const txnPath = services.KV.methods.Txn.path;
const watchPath = services.Watch.methods.Watch.path;
const authenticatePath = services.Auth.methods.Authenticate.path;

interface Line {
  readonly user: string;
  readonly address: string;
  readonly method: string;
  readonly keys?: readonly { readonly key: string; readonly range_end?: string }[];
  readonly request_bytes: number;
  readonly response_bytes: number;
  readonly took_ms: number;
  readonly code: string;
  readonly error?: string;
}

function setUp(isOn = true): { server: GrpcServer; lines: Line[] } {
  const clock = new NodeClock();
  const lines: Line[] = [];
  const wrapper = new AuditLog({
    clock,
    isOn: () => isOn,
    userOf: (call) => call.metadata.get('token') ?? '',
    write: (line) => {
      assert.ok(line.endsWith('\n'), 'a whole line');
      lines.push(JSON.parse(line) as Line);
    },
  });
  const server = createGrpcServer({ clock, logger: silentLogger }, { wrapper });
  server.registerUnary(putPath, (call) => call.reply(new Uint8Array(9), 0, 7));
  server.registerUnary(txnPath, (call) => call.fail(7, 'etcdserver: permission denied'));
  server.registerUnary(authenticatePath, (call) => call.fail(3, 'no'));
  server.registerStream(watchPath, (call) => {
    call.onMessage(() => {
      call.write(new Uint8Array(3));
      call.writeShared(new Uint8Array(2), new Uint8Array(4));
    });
    call.onEnd(() => call.end());
  });
  return { server, lines };
}

const asAlice = { metadata: [['token', 'alice'] as const] };

test('a call is one line with who, what, how much and how it ended', async () => {
  const { server, lines } = setUp();
  const request = PutRequest.encode(PutRequest.create({ key: bytes('k'), value: bytes('secret') }));
  await server.local.unary(putPath, request, asAlice);
  const [line] = lines;
  const { took_ms, ...rest } = line as Line;
  assert.ok(took_ms >= 0);
  assert.deepEqual(
    { ...rest, ts: undefined },
    {
      ts: undefined,
      user: 'alice',
      address: 'in-process',
      method: putPath,
      keys: [{ key: 'k' }],
      request_bytes: request.length,
      response_bytes: 7,
      code: 'OK',
    },
  );
});

test('a call that came over HTTP is that of the address that was seen there', async () => {
  const { server, lines } = setUp();
  const metadata = [['x-forwarded-for', 'claimed, 10.0.0.9'] as const];
  await server.local.unary(putPath, Uint8Array.of(), { metadata });
  assert.equal(lines[0]?.address, '10.0.0.9');
});

test('a refused transaction shows the keys of all its branches, binary ones as base64', async () => {
  const { server, lines } = setUp();
  const request = TxnRequest.create({
    success: [RequestOp.create({ requestPut: PutRequest.create({ key: Uint8Array.of(0xff) }) })],
    failure: [RequestOp.create({ requestRange: RangeRequest.create({ key: bytes('a'), rangeEnd: Uint8Array.of(0) }) })],
  });
  await assert.rejects(server.local.unary(txnPath, TxnRequest.encode(request), asAlice));
  assert.deepEqual(lines[0]?.keys, [{ key: 'base64:/w==' }, { key: 'a', range_end: '\0' }]);
  assert.deepEqual([lines[0]?.code, lines[0]?.error], ['PermissionDenied', 'etcdserver: permission denied']);
});

test('who fails to authenticate is named, the password is not', async () => {
  const { server, lines } = setUp();
  const request = AuthenticateRequest.create({ name: 'mallory', password: 'guess' });
  await assert.rejects(server.local.unary(authenticatePath, AuthenticateRequest.encode(request)));
  assert.deepEqual([lines[0]?.user, lines[0]?.code], ['mallory', 'InvalidArgument']);
  assert.ok(!JSON.stringify(lines).includes('guess'));
});

test('a stream is one line when it ends, with all it watched', async () => {
  const { server, lines } = setUp();
  const stream = server.local.stream(watchPath, asAlice);
  const ended = new Promise((resolve) => stream.onEnd(resolve));
  for (const key of ['a', 'b']) {
    const createRequest = WatchCreateRequest.create({ key: bytes(key) });
    stream.write(WatchRequest.encode(WatchRequest.create({ createRequest })));
  }
  stream.end();
  await ended;
  assert.deepEqual(lines[0]?.keys, [{ key: 'a' }, { key: 'b' }]);
  assert.deepEqual([lines[0]?.response_bytes, lines[0]?.code], [18, 'OK']);
});

test('a call that its client gives up is told, too', async () => {
  const { server, lines } = setUp();
  const stream = server.local.stream(watchPath, asAlice);
  stream.write(WatchRequest.encode(WatchRequest.create({})));
  await new Promise((resolve) => stream.onMessage(resolve));
  stream.cancel();
  await new Promise(setImmediate);
  assert.equal(lines[0]?.code, 'Canceled');
});

test('broken requests have no keys; while authentication is off nothing is written', async () => {
  const { server, lines } = setUp();
  await server.local.unary(putPath, Uint8Array.of(0xff), asAlice);
  assert.equal(lines[0]?.keys, undefined);
  const off = setUp(false);
  await off.server.local.unary(putPath, Uint8Array.of(), asAlice);
  assert.deepEqual(off.lines, []);
});
