import assert from 'node:assert/strict';
import { type ClientHttp2Stream, connect } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { etcdserverpb, services } from '@quorate/api';
import { silentLogger, utf8ToBytes } from '@quorate/base';
import { NodeClock, NodeRandom } from '@quorate/base/node';
import { createGrpcClient } from '@quorate/transport/node';
import { startQuorate } from './start-quorate.ts';

const { PutRequest, RangeRequest, RequestOp, TxnRequest } = etcdserverpb;
const methods = services.KV.methods;

const values = 10;
const valueBytes = 500_000;
const asked = 15;
/** 32 MiB hold six answers of 5 MB; one more is begun. */
const answeredMax = 7;

const range = RangeRequest.create({ key: utf8ToBytes('k'), rangeEnd: utf8ToBytes('l') });
const put = PutRequest.create({ key: utf8ToBytes('a') });
const requests: Readonly<Record<string, [string, Uint8Array]>> = {
  'linearizable ranges': [methods.Range.path, RangeRequest.encode(range)],
  'ranges with an order': [methods.Range.path, RangeRequest.encode({ ...range, sortOrder: 2, sortTarget: 4 })],
  'serializable ranges': [methods.Range.path, RangeRequest.encode({ ...range, serializable: true })],
  'transactions that only read': [
    methods.Txn.path,
    TxnRequest.encode(TxnRequest.create({ success: [RequestOp.create({ requestRange: range })] })),
  ],
  'transactions that write': [
    methods.Txn.path,
    TxnRequest.encode(
      TxnRequest.create({
        success: [RequestOp.create({ requestPut: put }), RequestOp.create({ requestRange: range })],
      }),
    ),
  ],
};

/** A member with {@link values} keys of {@link valueBytes}. */
async function start(t: TestContext) {
  const member = await startQuorate({ inMemory: true });
  const address = (member.clientUrls[0] as string).replace('http://', '');
  const deps = { clock: new NodeClock(), logger: silentLogger, random: new NodeRandom() };
  const client = createGrpcClient(deps, { address });
  t.after(async () => {
    client.close();
    await member.stop();
  });
  for (let i = 0; i < values; i++) {
    const request = PutRequest.create({ key: utf8ToBytes(`k${i}`), value: new Uint8Array(valueBytes).fill(0x78) });
    await client.unary(methods.Put.path, PutRequest.encode(request));
  }
  return { address, client };
}

test('a client that asks for much and reads nothing is answered as it reads, and holds up no other', async (t) => {
  const { address, client } = await start(t);
  for (const [name, [path, request]] of Object.entries(requests)) {
    const session = connect(`http://${address}`);
    let answered = 0;
    const streams: ClientHttp2Stream[] = [];
    for (let i = 0; i < asked; i++) {
      const headers = { ':method': 'POST', ':path': path, te: 'trailers', 'content-type': 'application/grpc' };
      const stream = session.request(headers).on('response', () => answered++);
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(request.length, 1);
      stream.end(Buffer.concat([prefix, request]));
      streams.push(stream);
    }
    // In the time of so many calls of another client all would be answered.
    for (let i = 0; i < 50 || answered === 0; i++) await client.unary(methods.Put.path, PutRequest.encode(put));
    assert.ok(answered <= answeredMax, `${name}: ${answered} answers`);
    const lengths = await Promise.all(
      streams.map(async (stream) => {
        let length = 0;
        for await (const chunk of stream) length += (chunk as Uint8Array).length;
        return length;
      }),
    );
    session.close();
    for (const length of lengths) assert.ok(length > values * valueBytes, `${name}: ${length} bytes`);
  }
});
