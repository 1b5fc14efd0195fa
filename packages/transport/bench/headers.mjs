// Nanoseconds the server takes for a unary request by how its headers vary, without sockets.
//   node bench/headers.mjs
import { silentLogger } from '@quorate/base';
import { createGrpcServer } from '@quorate/transport';
import { HpackEncoder } from '../dist/hpack/hpack-encoder.js';

const requests = 400_000;
const perChunk = 50;

function run(name, encode) {
  /** @type {(() => void)[]} */
  const deferred = [];
  const clock = {
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
    setTimer: () => ({ cancel() {} }),
    defer: (/** @type {() => void} */ callback) => void deferred.push(callback),
  };
  const server = createGrpcServer({ clock, logger: silentLogger });
  server.registerUnary('/etcdserverpb.KV/Range', (call, message) => call.reply(message, 0, message.length));
  /** @type {import('@quorate/transport').ByteStreamHandler | undefined} */
  let handler;
  server.accept({
    peer: { address: '', secure: false, certificate: null },
    setHandler: (value) => {
      handler = value;
    },
    write: () => queue.push(1),
    pauseReading() {},
    resumeReading() {},
    end() {},
    destroy() {},
  });
  const queue = [];
  const frame = (type, flags, id, payload) => {
    const bytes = Buffer.alloc(9 + payload.length);
    bytes.writeUIntBE(payload.length, 0, 3);
    bytes[3] = type;
    bytes[4] = flags;
    bytes.writeUInt32BE(id, 5);
    bytes.set(payload, 9);
    return bytes;
  };
  if (handler === undefined) throw new Error('the connection was not taken');
  handler.onData(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
  handler.onData(frame(4, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff])));
  handler.onData(frame(8, 0, 0, Buffer.from([0x7f, 0, 0, 0])));
  const encoder = new HpackEncoder();
  const body = Buffer.concat([Buffer.from([0, 0, 0, 0, 20]), Buffer.alloc(20)]);
  const chunks = [];
  for (let i = 0; i < requests; i += perChunk) {
    const parts = [];
    for (let k = 0; k < perChunk; k++) {
      const id = (i + k) * 2 + 1;
      encoder.begin();
      encode(encoder, i + k);
      parts.push(frame(1, 4, id, encoder.end()), frame(0, 1, id, body));
    }
    chunks.push(Buffer.concat(parts));
  }
  const began = performance.now();
  for (const chunk of chunks) {
    handler.onData(chunk);
    for (const callback of deferred.splice(0)) callback();
    while (queue.pop() !== undefined) handler.onWritten();
  }
  const ns = ((performance.now() - began) * 1e6) / requests;
  console.log(`${name}: ${ns.toFixed(0)} ns a request`);
  server.close();
}

function common(encoder) {
  encoder.addIndexed(':method', 'POST');
  encoder.addIndexed(':scheme', 'http');
  encoder.addIndexed(':path', '/etcdserverpb.KV/Range');
  encoder.addIndexed(':authority', 'localhost:2379');
  encoder.addIndexed('content-type', 'application/grpc');
  encoder.addIndexed('user-agent', 'grpc-go/1.71.1');
  encoder.addIndexed('te', 'trailers');
}

for (let round = 0; round < 2; round++) {
  run('the same headers           ', common);
  run('a timeout, literal         ', (encoder, i) => {
    common(encoder);
    encoder.addLiteral('grpc-timeout', `${4_900_000 + (i % 90_000)}u`);
  });
  run('a timeout, to the table (Go)', (encoder, i) => {
    common(encoder);
    encoder.addIndexed('grpc-timeout', `${4_900_000 + (i % 90_000)}u`);
  });
}
