import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOptions } from './options.ts';

test('options have their values, or those that are usual', () => {
  const usual = readOptions([]);
  assert.deepEqual([usual.seeds, usual.from, usual.operations, usual.jobs], [100, 1, 400, 2]);
  assert.deepEqual(
    [usual.seed, usual.minutes, usual.scenario, usual.out],
    [undefined, undefined, undefined, 'simulator-failures'],
  );
  assert.deepEqual(readOptions(['--seed', '17', '--trace']), { ...usual, seed: 17, trace: true });
  assert.equal(readOptions(['--minutes', '0.5']).minutes, 0.5);
});

const wrong: readonly [args: string[], says: RegExp][] = [
  [['--sed', '3'], /--sed/],
  [['17'], /17/],
  [['--seed', 'x'], /--seed takes a whole number from 0 on, not 'x'/],
  [['--seed', '1.5'], /not '1.5'/],
  [['--seed', '1e99'], /not '1e99'/],
  [['--seed', ''], /not ''/],
  [['--seeds', '0'], /--seeds takes a whole number from 1 on/],
  [['--jobs=-1'], /--jobs/],
  [['--minutes', 'long'], /--minutes takes a number above 0/],
  [['--minutes', '0'], /--minutes/],
  [['--trace'], /--trace goes with/],
  [['--seed', '1', '--scenario', 'f'], /give one/],
];

test('what is not understood is said', () => {
  for (const [args, says] of wrong) assert.throws(() => readOptions(args), { message: says }, args.join(' '));
});
