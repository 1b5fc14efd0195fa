import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RaftLog } from '../../log/raft-log.ts';
import { isQuorum, quorumsOverlap } from './quorums.ts';
import { reportFailure } from './report.ts';
import { failureKind, type Outcome, replay, runSeed, type Scenario } from './run.ts';
import { shrink } from './shrink.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

// The random clusters themselves are in cluster-even.test.ts and cluster-odd.test.ts. Here: what they stand on.

function firstFailure(run: (seed: number) => Outcome): Outcome {
  for (let seed = 0; seed < 200; seed++) {
    const outcome = run(seed);
    if (outcome.failure !== undefined) return outcome;
  }
  return assert.fail('nothing failed');
}

/** No event of a shrunk run can be spared. */
function checkMinimal({ events, ...rest }: Scenario, kind: string, run: (scenario: Scenario) => Outcome): void {
  for (let i = 0; i < events.length; i++) {
    const { failure } = run({ ...rest, events: events.toSpliced(i, 1) });
    assert.ok(failure === undefined || failureKind(failure) !== kind, `event ${i + 1} is not needed`);
  }
}

test('a run can be replayed from its events', () => {
  const { scenario, activity } = runSeed(4, 1500);
  assert.equal(scenario.events.length, 1500);
  assert.deepEqual(replay(scenario).activity, activity);
});

test('a run that breaks a rule is shrunk to the few events that matter', () => {
  // The rule is made up, so that it is broken: nobody but node 1 leads twice.
  const rule = (cluster: SimulatedCluster) => {
    for (const { id, isLeader, raft } of cluster.nodes) {
      if (isLeader && id !== 1n && (raft?.term ?? 0) > 2) throw new Error(`made up: ${id} leads term ${raft?.term}`);
    }
  };
  const run = (scenario: Scenario) => replay(scenario, rule);
  const { scenario, failure } = firstFailure((seed) => run({ ...runSeed(seed, 2000).scenario, recovers: false }));
  assert.ok(failure !== undefined && scenario.events.length > 100);
  const small = shrink(scenario, failure, run);
  assert.equal(failureKind(small.failure), 'made up');
  assert.ok(small.scenario.events.length <= 12, `${small.scenario.events.length} events are left`);
  assert.ok(small.scenario.setup.nodes.length <= 3);
  checkMinimal(small.scenario, 'made up', run);
});

test('a mistake in the library is found, shrunk and told', (t) => {
  // Votes for any log: a leader may lack what is committed.
  t.mock.method(RaftLog.prototype, 'isUpToDate', () => true);
  const outcome = firstFailure((seed) => runSeed(seed, 3000));
  const { scenario, failure } = outcome;
  assert.ok(failure !== undefined);
  const small = shrink(scenario, failure);
  const kind = failureKind(failure);
  assert.equal(failureKind(small.failure), kind);
  assert.ok(small.scenario.events.length <= 40, `${small.scenario.events.length} events are left`);
  assert.ok(small.scenario.events.length < scenario.events.length / 10);
  checkMinimal(small.scenario, kind, replay);
  const report = reportFailure(outcome, 'the command');
  assert.match(report, new RegExp(`^${kind}: .*\n  again: the command\n  shrunk from`));
  assert.match(report, /\n {5}1\. .*\n/);
  assert.match(report, new RegExp(`\n +${small.scenario.events.length}\\. [^\n]*(\n +then all trouble ends)?$`));
});

test('quorums of one half, of both, and how they overlap', () => {
  const [one, two, three, four] = [1n, 2n, 3n, 4n];
  const simple = (...voters: bigint[]) => ({ voters, votersOutgoing: [] });
  const among =
    (...ids: bigint[]) =>
    (id: bigint) =>
      ids.includes(id);
  assert.equal(isQuorum(simple(one, two), among(one)), false);
  assert.equal(isQuorum(simple(one, two, three), among(one, three)), true);
  const joint = { voters: [one], votersOutgoing: [two, three, four] };
  assert.equal(isQuorum(joint, among(two, three)), false);
  assert.equal(isQuorum(joint, among(one, two, three)), true);
  assert.equal(quorumsOverlap(simple(one, two, three), simple(one, two, three, four)), true);
  assert.equal(quorumsOverlap(simple(one, two, three), simple(one, two)), true);
  assert.equal(quorumsOverlap(simple(one, two, three), simple(three, four)), false);
  assert.equal(quorumsOverlap(simple(one, two, three), simple(one, four)), false);
  assert.equal(quorumsOverlap(simple(one), joint), true);
  assert.equal(quorumsOverlap(simple(four), joint), false);
});
