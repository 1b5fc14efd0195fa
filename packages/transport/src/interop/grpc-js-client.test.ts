import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createGrpcServer, type GrpcServer, type StreamCall } from '@quorate/transport';
import { gunzip, type Listener, listen } from '@quorate/transport/node';

let server: GrpcServer;
let listener: Listener;
let client: grpc.Client;
const cancelled: string[] = [];
let onCancelled = () => {};

const identity = (value: Buffer) => value;

function unary(path: string, message: Uint8Array, options: grpc.CallOptions = {}, metadata = new grpc.Metadata()) {
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(path, identity, identity, Buffer.from(message), metadata, options, (error, value) => {
      if (error) reject(error);
      else resolve(value as Buffer);
    });
  });
}

before(async () => {
  server = createGrpcServer({ clock: new NodeClock(), logger: silentLogger }, { gunzip });
  server.registerUnary('/test.Echo/Echo', (call, message) => call.reply(message, 0, message.length));
  server.registerUnary('/test.Echo/Later', (call, message) => {
    const copy = message.slice();
    setImmediate(() => call.replyChunks([copy, copy]));
  });
  server.registerUnary('/test.Echo/Fail', (call) => call.fail(5, 'nicht da: größer 100%'));
  server.registerUnary('/test.Echo/Never', (call) => {
    call.onCancel(() => {
      cancelled.push(call.path);
      onCancelled();
    });
  });
  server.registerUnary('/test.Echo/Token', (call) => {
    const bytes = Buffer.from(call.metadata.get('token') ?? '');
    call.reply(bytes, 0, bytes.length);
  });
  server.registerStream('/test.Stream/Bidi', (call) => {
    call.onMessage((message) => call.write(message));
    call.onEnd(() => call.end());
  });
  server.registerStream('/test.Stream/Collect', (call) => {
    let length = 0;
    call.onMessage((message) => {
      length += message.length;
    });
    call.onEnd(() => {
      call.write(Buffer.from(String(length)));
      call.end();
    });
  });
  server.registerStream('/test.Stream/Count', (call) => {
    call.onMessage((message) => pour(call, Number(Buffer.from(message).toString())));
  });
  listener = await listen(server, { host: '127.0.0.1' });
  client = new grpc.Client(`127.0.0.1:${listener.port}`, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
});

after(async () => {
  client.close();
  server.close();
  await listener.close();
});

/** Writes `count` messages of 10 kB as backpressure allows. */
function pour(call: StreamCall, count: number): void {
  let sent = 0;
  const message = Buffer.alloc(10_000, 0x62);
  const go = () => {
    while (sent < count) {
      sent++;
      if (!call.write(message)) return;
    }
    call.end();
  };
  call.onDrain(go);
  go();
}

test('grpc-js: unary calls of many sizes echo', async () => {
  for (const size of [0, 1, 5, 100, 16_379, 16_380, 65_536, 300_000, 2_000_000]) {
    const message = Buffer.alloc(size, size & 0xff);
    assert.deepEqual(await unary('/test.Echo/Echo', message), message, `size ${size}`);
  }
});

test('grpc-js: two hundred unary calls at once', async () => {
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => unary('/test.Echo/Later', Buffer.from(`call ${i} `))),
  );
  answers.forEach((answer, i) => {
    assert.equal(answer.toString(), `call ${i} call ${i} `);
  });
});

test('grpc-js: large answers by reference pass flow control', async () => {
  const message = Buffer.alloc(1_500_000, 7);
  const answer = await unary('/test.Echo/Later', message);
  assert.equal(answer.length, 3_000_000);
  assert.ok(answer.every((byte) => byte === 7));
});

test('grpc-js: a status with a message beyond ASCII', async () => {
  await assert.rejects(unary('/test.Echo/Fail', Buffer.alloc(0)), { code: 5, details: 'nicht da: größer 100%' });
});

test('grpc-js: unknown method and unknown service', async () => {
  await assert.rejects(unary('/test.Echo/Nope', Buffer.alloc(0)), {
    code: 12,
    details: 'unknown method Nope for service test.Echo',
  });
  await assert.rejects(unary('/test.Nope/Echo', Buffer.alloc(0)), { code: 12, details: 'unknown service test.Nope' });
});

test('grpc-js: a message over the limit', async () => {
  await assert.rejects(unary('/test.Echo/Echo', Buffer.alloc(2 * 1024 * 1024 + 1)), {
    code: 8,
    details: 'grpc: received message larger than max (2097153 vs. 2097152)',
  });
});

test('grpc-js: a deadline passes', async () => {
  const seen = new Promise<void>((resolve) => {
    onCancelled = resolve;
  });
  await assert.rejects(unary('/test.Echo/Never', Buffer.alloc(3), { deadline: Date.now() + 50 }), { code: 4 });
  await seen;
  assert.ok(cancelled.includes('/test.Echo/Never'));
});

test('grpc-js: a cancelled call reaches the handler', async () => {
  const seen = new Promise<void>((resolve) => {
    onCancelled = resolve;
  });
  const failed = new Promise<grpc.ServiceError | null>((resolve) => {
    const call = client.makeUnaryRequest('/test.Echo/Never', identity, identity, Buffer.alloc(1), (error) =>
      resolve(error),
    );
    setImmediate(() => setImmediate(() => call.cancel()));
  });
  assert.equal((await failed)?.code, 1);
  // When the cancel overtakes the request nothing arrives, so another call makes sure that something does.
  const call = client.makeUnaryRequest('/test.Echo/Never', identity, identity, Buffer.alloc(1), () => {});
  await unary('/test.Echo/Echo', Buffer.alloc(1));
  call.cancel();
  await seen;
});

test('grpc-js: metadata', async () => {
  const metadata = new grpc.Metadata();
  metadata.set('token', 'abc.123');
  for (let i = 0; i < 3; i++) {
    assert.equal((await unary('/test.Echo/Token', Buffer.alloc(0), {}, metadata)).toString(), 'abc.123');
  }
  assert.equal((await unary('/test.Echo/Token', Buffer.alloc(0))).toString(), '');
});

test('grpc-js: gzip requests', async () => {
  const zipped = new grpc.Client(`127.0.0.1:${listener.port}`, grpc.credentials.createInsecure(), {
    'grpc.default_compression_algorithm': 2,
  });
  const message = Buffer.alloc(100_000, 9);
  const answer = await new Promise<Buffer>((resolve, reject) => {
    zipped.makeUnaryRequest('/test.Echo/Echo', identity, identity, message, (error, value) => {
      if (error) reject(error);
      else resolve(value as Buffer);
    });
  });
  assert.deepEqual(answer, message);
  zipped.close();
});

test('grpc-js: client streaming', async () => {
  const total = await new Promise<string>((resolve, reject) => {
    const call = client.makeClientStreamRequest('/test.Stream/Collect', identity, identity, (error, value) => {
      if (error) reject(error);
      else resolve((value as Buffer).toString());
    });
    for (let i = 0; i < 100; i++) call.write(Buffer.alloc(20_000, i));
    call.end();
  });
  assert.equal(total, '2000000');
});

test('grpc-js: server streaming under backpressure', async () => {
  const call = client.makeServerStreamRequest('/test.Stream/Count', identity, identity, Buffer.from('1000'));
  let count = 0;
  for await (const message of call) {
    assert.equal((message as Buffer).length, 10_000);
    count++;
  }
  assert.equal(count, 1000);
});

test('grpc-js: bidirectional streaming', async () => {
  const call = client.makeBidiStreamRequest('/test.Stream/Bidi', identity, identity);
  const seen: string[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    call.on('data', (message: Buffer) => {
      seen.push(message.toString());
      if (seen.length === 50) call.end();
      else call.write(Buffer.from(`message ${seen.length}`));
    });
    call.on('error', reject);
    call.on('end', resolve);
  });
  call.write(Buffer.from('message 0'));
  await ended;
  assert.deepEqual(
    seen,
    Array.from({ length: 50 }, (_, i) => `message ${i}`),
  );
});
