import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, etcdserverpb } from '@quorate/api';
import { SeededRandom } from '@quorate/base';
import { checkPutRequest, putCost } from '@quorate/machine';
import { costOfPlainPut } from './plain-put.ts';

const { PutRequest } = etcdserverpb;

test('reads plain puts and leaves all others alone', () => {
  const key = new Uint8Array(200).fill(1);
  const value = new Uint8Array(70_000).fill(2);
  assert.equal(costOfPlainPut(PutRequest.encode(PutRequest.create({ key, value }))), putCost(200, 70_000));
  assert.equal(costOfPlainPut(PutRequest.encode(PutRequest.create({ key }))), putCost(200, 0));
  for (const other of [
    { value },
    { key, lease: 1n },
    { key, value, prevKv: true },
    { key, ignoreValue: true },
    { key, ignoreLease: true },
    {},
  ]) {
    assert.equal(costOfPlainPut(PutRequest.encode(PutRequest.create(other))), -1);
  }
});

test('what it accepts the codec and the checks accept, with the same cost, on mangled bytes too', () => {
  const random = new SeededRandom(3);
  let accepted = 0;
  for (let round = 0; round < 50_000; round++) {
    const fields = {
      key: new Uint8Array(random.nextUint32() % 4).fill(7),
      value: new Uint8Array(random.nextUint32() % 4).fill(8),
    };
    const bytes = Uint8Array.from(PutRequest.encode(PutRequest.create(fields)));
    if (bytes.length > 0 && round % 2 === 0) bytes[random.nextUint32() % bytes.length] = random.nextUint32();
    const cost = costOfPlainPut(bytes);
    if (cost < 0) continue;
    accepted++;
    try {
      const decoded = PutRequest.decode(bytes);
      assert.equal(checkPutRequest(decoded), undefined);
      assert.equal(cost, putCost(decoded.key.length, decoded.value.length));
    } catch (error) {
      assert.ok(!(error instanceof DecodeError), `accepted what cannot be decoded: ${bytes}`);
      throw error;
    }
  }
  assert.ok(accepted > 10_000);
});
