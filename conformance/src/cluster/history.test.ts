import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkHistory, compareHistories, type KeyEvent, type Write } from './history.ts';

const put = (revision: number, key: string, value: string): KeyEvent => ({ revision, key, value });
const write = (revision: number | undefined, changes: Record<string, string | undefined>, above = 0): Write => ({
  client: 'c',
  changes: Object.entries(changes).map(([key, value]) => ({ key, value })),
  above,
  revision,
});

test('what was acknowledged is there; what was not may be', () => {
  const writes = [
    write(2, { a: '1' }),
    write(3, { a: '2', b: '3' }),
    write(undefined, { a: '4' }),
    write(5, { a: undefined }),
  ];
  const history = [put(2, 'a', '1'), put(3, 'a', '2'), put(3, 'b', '3')];
  const deleted: KeyEvent = { revision: 5, key: 'a', value: undefined };
  assert.deepEqual(checkHistory([...history, put(4, 'a', '4'), deleted], writes), []);
  assert.deepEqual(
    checkHistory([...history, put(4, 'c', '9'), deleted], [...writes, write(undefined, { c: '9' })]),
    [],
  );
});

test('a lost, changed, doubled, halved, invented or misplaced write is found', () => {
  const check = (history: KeyEvent[], ...writes: Write[]): string => checkHistory(history, writes).join('\n');
  assert.match(check([], write(2, { a: '1' })), /acknowledged at 2: a=1; the history has: nothing/);
  assert.match(
    check([put(2, 'a', '2')], write(2, { a: '1' }), write(undefined, { a: '2' })),
    /a=1; the history has: a=2/,
  );
  assert.match(check([put(2, 'a', '1'), put(3, 'a', '1')], write(2, { a: '1' })), /a=1 happened at 2 and again at 3/);
  assert.match(check([put(2, 'a', '1')], write(undefined, { a: '1', b: '2' })), /half done: a=1, b=2/);
  assert.match(check([put(2, 'a', '1')]), /a=1 at 2 was asked for by nobody/);
  assert.match(check([put(2, 'a', '1')], write(2, { a: '1' }, 3)), /acknowledged at 2, sent after an answer at 3/);
  assert.match(
    check([put(2, 'a', '1')], write(2, { a: '1' }), write(2, { b: '1' })),
    /revision 2 was given to c and to c/,
  );
});

test('histories part at their first difference', () => {
  assert.deepEqual(compareHistories([put(2, 'a', '1')], [put(2, 'a', '1')]), []);
  assert.deepEqual(compareHistories([put(2, 'a', '1')], []), ['event 0: nothing, not 2 a=1']);
  assert.deepEqual(compareHistories([put(2, 'a', '1')], [put(3, 'a', '1')]), ['event 0: 3 a=1, not 2 a=1']);
});
