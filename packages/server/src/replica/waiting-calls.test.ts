import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorSymbol } from '@quorate/api';
import { SeededRandom } from '@quorate/base';
import { type PendingCall, WaitingCalls } from './waiting-calls.ts';

class Call implements PendingCall<number> {
  failure: ErrorSymbol | undefined;
  applied(): void {}
  failed(symbol: ErrorSymbol): void {
    assert.equal(this.failure, undefined, 'failed once');
    this.failure = symbol;
  }
}

test('behaves as a map of sequences, whatever is left out, taken or grown', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandom(seed);
    const waiting = new WaitingCalls<number>(1e9);
    const twin = new Map<number, Call>();
    let next = 0;
    for (let step = 0; step < 20_000; step++) {
      if (random.nextUint32() % 100 < (step % 10_000 < 5000 ? 60 : 40)) {
        next += 1 + (random.nextUint32() % 3);
        const call = new Call();
        waiting.add(next, call, step);
        twin.set(next, call);
      } else {
        const sequence = random.nextUint32() % (next + 2);
        assert.equal(waiting.has(sequence), twin.has(sequence), `seed ${seed} step ${step}`);
        assert.equal(waiting.take(sequence), twin.get(sequence), `seed ${seed} step ${step}`);
        twin.delete(sequence);
        const [oldest] = twin.keys();
        if (oldest !== undefined && random.nextUint32() % 2 === 0) {
          assert.equal(waiting.take(oldest), twin.get(oldest), `seed ${seed} step ${step}`);
          twin.delete(oldest);
        }
      }
      assert.equal(waiting.size, twin.size);
    }
    waiting.failAll('ErrGRPCStopped');
    for (const call of twin.values()) assert.equal(call.failure, 'ErrGRPCStopped');
    assert.equal(waiting.size, 0);
  }
});

test('only what has waited long enough times out', () => {
  const waiting = new WaitingCalls<number>(100);
  const calls = [new Call(), new Call(), new Call()];
  for (const [i, call] of calls.entries()) waiting.add(i * 5, call, i * 60);
  waiting.take(0);
  waiting.expire(159, () => 'ErrGRPCTimeout');
  assert.deepEqual(
    calls.map((call) => call.failure),
    [undefined, undefined, undefined],
  );
  waiting.expire(160, () => 'ErrGRPCTimeout');
  assert.deepEqual(
    calls.map((call) => call.failure),
    [undefined, 'ErrGRPCTimeout', undefined],
  );
  assert.equal(waiting.size, 1);
});
