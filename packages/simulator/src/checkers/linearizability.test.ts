import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextBelow, SeededRandom } from '@quorate/base';
import { type Call, checkLinearizability, type SequentialModel } from './linearizability.ts';

/** What was done to a register of one number, and what a read saw. */
type RegisterOperation = { readonly write: number } | { readonly read: number };

const register: SequentialModel<number, RegisterOperation> = {
  initial: 0,
  step: (state, operation) => {
    if ('write' in operation) return [operation.write];
    return operation.read === state ? [state] : [];
  },
  hash: (state) => state,
  equals: (a, b) => a === b,
};

type RegisterCall = Call<RegisterOperation>;

function call(invokedMs: number, returnedMs: number, operation: RegisterOperation): RegisterCall {
  return { operation, invokedMs, returnedMs };
}

const write = (from: number, to: number, value: number) => call(from, to, { write: value });
const read = (from: number, to: number, value: number) => call(from, to, { read: value });

function check(...calls: RegisterCall[]): string {
  const verdict = checkLinearizability(register, calls, 100_000);
  if (verdict.kind !== 'violation') return verdict.kind;
  return `violation ${verdict.answers} ${calls.indexOf(verdict.last)}`;
}

test('a read sees the write before it or one that overlaps', () => {
  assert.equal(check(write(0, 10, 1), read(20, 30, 1)), 'linearizable');
  assert.equal(check(write(0, 10, 1), read(20, 30, 0)), 'violation 2 1');
  assert.equal(check(write(0, 25, 1), read(20, 30, 0)), 'linearizable');
  assert.equal(check(write(0, 25, 1), read(20, 30, 1)), 'linearizable');
  assert.equal(check(write(0, 20, 1), read(20, 30, 0)), 'linearizable');
  // Two reads during a write must not see it come and go.
  assert.equal(check(write(0, 100, 1), read(10, 20, 1), read(30, 40, 0)), 'violation 2 2');
  assert.equal(check(write(0, 100, 1), read(10, 20, 0), read(30, 40, 1)), 'linearizable');
});

test('a write without an answer may come late, early enough, or never', () => {
  assert.equal(check(write(0, Infinity, 1), read(20, 30, 0), read(40, 50, 1)), 'linearizable');
  assert.equal(check(write(0, Infinity, 1), read(20, 30, 0), read(40, 50, 0)), 'linearizable');
  assert.equal(check(write(0, Infinity, 1), read(20, 30, 1), read(40, 50, 0)), 'violation 2 2');
  assert.equal(check(read(0, 10, 1), write(20, Infinity, 1)), 'violation 1 0');
});

test('what may be done any number of times', () => {
  const again: RegisterCall = { ...write(0, Infinity, 1), isRepeatable: true };
  const [first, change, second] = [read(10, 20, 1), write(30, 40, 2), read(50, 60, 1)];
  assert.equal(check(again, first, change, second), 'linearizable');
  assert.equal(check({ ...again, isRepeatable: false }, first, change, second), 'violation 3 3');
});

test('the shortest part that nothing explains', () => {
  const good = Array.from({ length: 50 }, (_, i) => write(100 * i, 100 * i + 150, i + 1));
  const bad = [read(6000, 6010, 50), read(6020, 6030, 7), read(6040, 6050, 50), read(6060, 6070, 7)];
  assert.equal(check(...good, ...bad), 'violation 52 51');
});

test('a search that takes too long says so', () => {
  const calls = Array.from({ length: 30 }, (_, i) => write(0, 100, i + 1));
  const verdict = checkLinearizability(register, [...calls, read(200, 210, 99)], 1000);
  assert.deepEqual(verdict, { kind: 'undecided', steps: 1000 });
});

test('random histories: as trying all orders does', () => {
  const counts = { linearizable: 0, violation: 0 };
  for (let seed = 1; seed <= 3000; seed++) {
    const random = new SeededRandom(seed);
    const calls = Array.from({ length: 1 + nextBelow(random, 6) }, () => {
      const from = nextBelow(random, 30);
      const to = nextBelow(random, 8) === 0 ? Infinity : from + 1 + nextBelow(random, 15);
      const value = nextBelow(random, 3);
      return nextBelow(random, 2) === 0 ? write(from, to, value) : read(from, to, value);
    });
    const expected = hasOrder(calls, 0) ? 'linearizable' : 'violation';
    assert.equal(checkLinearizability(register, calls, 100_000).kind, expected, `seed ${seed}`);
    counts[expected] += 1;
  }
  assert.ok(counts.linearizable > 500 && counts.violation > 500, JSON.stringify(counts));
});

/** The dumb twin: whether some order explains the calls that are left. */
function hasOrder(left: readonly RegisterCall[], state: number): boolean {
  if (left.every(({ returnedMs }) => returnedMs === Infinity)) return true;
  const limitMs = Math.min(...left.map(({ returnedMs }) => returnedMs));
  return left.some((next) => {
    if (next.invokedMs > limitMs) return false;
    return register.step(state, next.operation).some((after) =>
      hasOrder(
        left.filter((other) => other !== next),
        after,
      ),
    );
  });
}
