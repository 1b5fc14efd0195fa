import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { SeededRandom, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createGrpcServer, type GrpcClient, type GrpcServer, type StreamStatus } from '@quorate/transport';
import { createGrpcClient, gunzip, listen } from '@quorate/transport/node';

const clock = new NodeClock();

interface Running {
  readonly address: string;
  stop(): Promise<void>;
}

async function startOwn(): Promise<Running> {
  const server: GrpcServer = createGrpcServer({ clock, logger: silentLogger }, { gunzip });
  server.registerUnary('/test.Echo/Echo', (call, message) => call.reply(message, 0, message.length));
  server.registerUnary('/test.Echo/Fail', (call) => call.fail(9, 'nö: 100%'));
  server.registerUnary('/test.Echo/Never', () => {});
  server.registerUnary('/test.Echo/Token', (call) => {
    const bytes = Buffer.from(call.metadata.get('token') ?? 'none');
    call.reply(bytes, 0, bytes.length);
  });
  server.registerStream('/test.Stream/Bidi', (call) => {
    call.onMessage((message) => call.write(message));
    call.onEnd(() => call.end());
  });
  server.registerStream('/test.Stream/Three', (call) => {
    call.onMessage(() => {
      for (let i = 0; i < 3; i++) call.write(Buffer.from(String(i)));
      call.fail(11, 'no more');
    });
  });
  const listener = await listen(server, { host: '127.0.0.1' });
  return {
    address: `127.0.0.1:${listener.port}`,
    async stop() {
      server.close();
      await listener.close();
    },
  };
}

const bytes = (value: Buffer) => value;
const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

async function startGrpcJs(): Promise<Running> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(
    {
      Echo: method('/test.Echo/Echo', false, false),
      Fail: method('/test.Echo/Fail', false, false),
      Never: method('/test.Echo/Never', false, false),
      Token: method('/test.Echo/Token', false, false),
      Bidi: method('/test.Stream/Bidi', true, true),
      Three: method('/test.Stream/Three', false, true),
    },
    {
      Echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, call.request),
      Fail: (_: unknown, done: grpc.sendUnaryData<Buffer>) => done({ code: 9, details: 'nö: 100%' }),
      Never: () => {},
      Token: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
        done(null, Buffer.from(String(call.metadata.get('token')[0] ?? 'none'))),
      Bidi: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (message) => call.write(message));
        call.on('end', () => call.end());
      },
      Three: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        for (let i = 0; i < 3; i++) call.write(Buffer.from(String(i)));
        call.emit('error', { code: 11, details: 'no more' });
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return {
    address: `127.0.0.1:${port}`,
    async stop() {
      server.forceShutdown();
    },
  };
}

for (const [name, start] of [
  ['own server', startOwn],
  ['grpc-js server', startGrpcJs],
] as const) {
  describe(`own client, ${name}`, () => {
    let running: Running;
    let client: GrpcClient;

    before(async () => {
      running = await start();
      client = createGrpcClient(
        { clock, logger: silentLogger, random: new SeededRandom(1) },
        { address: running.address },
      );
    });

    after(async () => {
      client.close();
      await running.stop();
    });

    test('unary calls of many sizes', async () => {
      for (const size of [0, 1, 100, 16_379, 16_380, 70_000, 1_000_000, 2_000_000]) {
        const message = Buffer.alloc(size, size & 0xff);
        assert.ok(message.equals(await client.unary('/test.Echo/Echo', message)), `size ${size}`);
      }
    });

    test('a thousand calls at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 1000 }, (_, i) => client.unary('/test.Echo/Echo', Buffer.from(`call ${i}`))),
      );
      answers.forEach((answer, i) => {
        assert.equal(Buffer.from(answer).toString(), `call ${i}`);
      });
    });

    test('errors carry code and message', async () => {
      await assert.rejects(client.unary('/test.Echo/Fail', new Uint8Array(0)), { code: 9, details: 'nö: 100%' });
      await assert.rejects(client.unary('/test.Echo/Nope', new Uint8Array(0)), { code: 12 });
    });

    test('a deadline', async () => {
      await assert.rejects(client.unary('/test.Echo/Never', new Uint8Array(3), { timeoutMs: 30 }), { code: 4 });
      const answer = await client.unary('/test.Echo/Echo', Buffer.from('a'), { timeoutMs: 10_000 });
      assert.equal(answer.length, 1);
    });

    test('metadata, the same and another', async () => {
      const metadata = [['token', 'abc']] as const;
      for (const value of [metadata, metadata, [['token', 'x'.repeat(300)]] as const, undefined]) {
        const options = value === undefined ? {} : { metadata: value };
        const answer = await client.unary('/test.Echo/Token', new Uint8Array(0), options);
        assert.equal(Buffer.from(answer).toString(), value?.[0][1] ?? 'none');
      }
    });

    test('a bidirectional stream, pausing', async () => {
      const stream = client.stream('/test.Stream/Bidi');
      const seen: string[] = [];
      stream.onMessage((message) => {
        seen.push(Buffer.from(message).toString());
        stream.pause();
        setImmediate(() => stream.resume());
        if (seen.length === 20) stream.end();
      });
      const ended = new Promise<StreamStatus>((resolve) => stream.onEnd(resolve));
      for (let i = 0; i < 20; i++) stream.write(Buffer.from(`message ${i}`));
      assert.equal((await ended).code, 0);
      assert.deepEqual(
        seen,
        Array.from({ length: 20 }, (_, i) => `message ${i}`),
      );
    });

    test('a stream of large messages under backpressure', async () => {
      const stream = client.stream('/test.Stream/Bidi');
      let received = 0;
      let sent = 0;
      const message = Buffer.alloc(50_000, 3);
      const pour = () => {
        while (sent < 200) {
          sent++;
          if (!stream.write(message)) return;
        }
        stream.end();
      };
      stream.onDrain(pour);
      stream.onMessage((bytes) => {
        received += bytes.length;
      });
      const ended = new Promise<StreamStatus>((resolve) => stream.onEnd(resolve));
      pour();
      assert.equal((await ended).code, 0);
      assert.equal(received, 10_000_000);
    });

    test('a stream that ends with an error after messages', async () => {
      const stream = client.stream('/test.Stream/Three');
      const seen: string[] = [];
      stream.onMessage((message) => seen.push(Buffer.from(message).toString()));
      const ended = new Promise<StreamStatus>((resolve) => stream.onEnd(resolve));
      stream.write(new Uint8Array(1));
      stream.end();
      const status = await ended;
      assert.deepEqual([status.code, status.message, seen.join()], [11, 'no more', '0,1,2']);
    });

    test('a stream that is cancelled', async () => {
      const stream = client.stream('/test.Stream/Bidi');
      const ended = new Promise<StreamStatus>((resolve) => stream.onEnd(resolve));
      stream.onMessage(() => stream.cancel());
      stream.write(new Uint8Array(1));
      assert.equal((await ended).code, 1);
      assert.equal((await client.unary('/test.Echo/Echo', new Uint8Array(2))).length, 2);
    });
  });
}

test('own client: connects again after the server has gone and come back', async () => {
  const first = await startOwn();
  const client = createGrpcClient(
    { clock, logger: silentLogger, random: new SeededRandom(1) },
    { address: first.address, backoffMinMs: 5, backoffMaxMs: 20 },
  );
  const port = Number(first.address.split(':')[1]);
  assert.equal((await client.unary('/test.Echo/Echo', new Uint8Array(2))).length, 2);
  const pending = client.unary('/test.Echo/Never', new Uint8Array(2));
  await client.unary('/test.Echo/Echo', new Uint8Array(2));
  const lost = assert.rejects(pending, { code: 14 });
  await first.stop();
  await lost;
  await assert.rejects(client.unary('/test.Echo/Echo', new Uint8Array(2)), { code: 14 });
  const waiting = client.unary('/test.Echo/Echo', new Uint8Array(7), { waitForReady: true });
  const server = createGrpcServer({ clock, logger: silentLogger });
  server.registerUnary('/test.Echo/Echo', (call, message) => call.reply(message, 0, message.length));
  const listener = await listen(server, { host: '127.0.0.1', port });
  assert.equal((await waiting).length, 7);
  client.close();
  await assert.rejects(client.unary('/test.Echo/Echo', new Uint8Array(2)), { code: 1 });
  server.close();
  await listener.close();
});

test('own client and server: draining lets calls finish and refuses new ones', async () => {
  const server = createGrpcServer({ clock, logger: silentLogger });
  let release = () => {};
  const arrived = new Promise<void>((resolve) => {
    server.registerUnary('/test.Echo/Wait', (call, message) => {
      const copy = message.slice();
      release = () => call.reply(copy, 0, copy.length);
      resolve();
    });
  });
  const listener = await listen(server, { host: '127.0.0.1' });
  const client = createGrpcClient(
    { clock, logger: silentLogger, random: new SeededRandom(1) },
    { address: `127.0.0.1:${listener.port}` },
  );
  const answer = client.unary('/test.Echo/Wait', Buffer.from('held'));
  await arrived;
  await listener.close();
  const drained = server.drain(5000);
  release();
  assert.equal(Buffer.from(await answer).toString(), 'held');
  await drained;
  await assert.rejects(client.unary('/test.Echo/Wait', new Uint8Array(0)), { code: 14 });
  client.close();
  server.close();
});

test('a port that there cannot be is a connection that fails', async () => {
  for (const address of ['127.0.0.1:x', '127.0.0.1:99999']) {
    const client = createGrpcClient({ clock, logger: silentLogger, random: new SeededRandom(1) }, { address });
    await assert.rejects(client.unary('/test.Echo/Echo', new Uint8Array(0)), /connection error/);
    client.close();
  }
});
