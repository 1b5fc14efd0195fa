import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jointCommittedIndex } from '../quorum/joint.ts';
import { emptyConfiguration } from './configuration.ts';
import { Progress } from './progress.ts';
import { ProgressTracker } from './progress-tracker.ts';

const idsUpTo = (count: number) => Array.from({ length: count }, (_, i) => BigInt(i + 1));

function tracker(incoming: readonly bigint[], outgoing: readonly bigint[], learners: readonly bigint[]) {
  const made = new ProgressTracker(1, Number.POSITIVE_INFINITY);
  const progress = (id: bigint) => new Progress(id, 0, 1, learners.includes(id), made.newInflights());
  const ids = new Set([...incoming, ...outgoing, ...learners]);
  const config = { ...emptyConfiguration, incoming: new Set(incoming), outgoing: new Set(outgoing) };
  made.switchTo({ ...config, learners: new Set(learners) }, new Map([...ids].map((id) => [id, progress(id)])));
  return made;
}

test('finds the nodes of small and of large configurations, and no others', () => {
  for (const count of [1, 9, 10, 40]) {
    const ids = idsUpTo(count);
    const found = tracker(ids.slice(1), [], ids.slice(0, 1));
    for (const id of ids) assert.equal(found.find(id), found.progress.get(id));
    assert.equal(found.find(0n), undefined);
    assert.equal(found.find(BigInt(count + 1)), undefined);
  }
});

test('commits what both halves hold, as of their ids, and not what learners hold', () => {
  const made = tracker([1n, 2n, 3n], [3n, 4n, 5n], [6n]);
  for (let round = 0; round < 200; round++) {
    for (const { id } of made.ordered) (made.find(id) as Progress).match = (round * 7919 * Number(id)) % 13;
    const expected = jointCommittedIndex(made.config, (id) => made.progress.get(id)?.match);
    assert.equal(made.committed(), expected);
  }
});
