import { nextBelow } from '@quorate/base';
import type { Fault, Scenario } from '../scenario.ts';
import { between, chance, pick, sourceOf } from '../world/random-sources.ts';
import { drawMachine, type Plot, type Stage, snapshotsSoon, withFaults } from './plot.ts';

const narrowRate = 0.25;
/** Plots begin early, since work must go on while they are played. */
const beginMs = 1_000;

/**
 * Some mistakes do harm only in a window so narrow that no fault at a drawn time meets it: between a vote and the next sync, or while a
 * snapshot is being made ready. So a part of the scenarios has one of these plots besides, of which each makes its window wide, or waits for
 * its moment. They come from a source of their own.
 */
export function withNarrowPlot(scenario: Scenario, otherwise: () => Scenario): Scenario {
  const random = sourceOf(scenario.seed, 'narrow plot');
  if (scenario.members < 3 || !chance(random, narrowRate)) return otherwise();
  const draw = pick(random, narrowPlots);
  const moment = () => between(random, 0, beginMs);
  return withFaults({ ...scenario, beginsInPeace: true, faults: [] }, [draw({ random, scenario, moment })]);
}

const renewalsRate = 0.05;

/**
 * In some of the scenarios a leader is cut off again and again for about as long as it takes it to find that out, while others, who have the
 * next leader already, revoke leases. From a source of its own as well, so that the rest stays as it is.
 */
export function withRenewalsOfOldLeaders(scenario: Scenario): Scenario {
  const random = sourceOf(scenario.seed, 'renewals of old leaders');
  if (scenario.members < 3 || !chance(random, renewalsRate)) return scenario;
  const faults: Fault[] = [];
  for (let i = 0, atMs = 200; i < 10; i++, atMs += 800)
    faults.push({ atMs, kind: 'isolate-leader', how: 'drop', forMs: between(random, 400, 600) });
  const plot = { faults, flags: quickElections, rest: { leaseholders: 6, areSuspicious: true, thinkMs: 60 } };
  return withFaults({ ...scenario, beginsInPeace: true }, [plot]);
}

/** Power fails everywhere just when a member has given its vote, and they are all back before it is known who was elected. */
function votesForgotten(stage: Stage): Plot {
  const { random } = stage;
  const faults: Fault[] = [];
  const times = 3 + nextBelow(random, 3);
  for (let i = 0, atMs = between(random, 0, 1_000); i < times; i++, atMs += between(random, 800, 1_500)) {
    faults.push({ atMs, when: 'vote', kind: 'crash-all', mode: 'synced', downMs: between(random, 20, 60) });
    faults.push({ atMs, kind: 'hold-leader', forMs: 1_000 });
  }
  return { faults, flags: quickElections };
}

/** A member whose log is on a slow disk and whose database is on a quick one is behind the others, and loses power. */
function logBehindDatabase(stage: Stage): Plot {
  const { random } = stage;
  const machine = drawMachine(stage);
  const faults: Fault[] = [];
  for (let i = 0, atMs = stage.moment(); i < 3; i++, atMs += 1_500) {
    const forMs = between(random, 500, 1_000);
    faults.push({ atMs, kind: 'disk-slow', machine, times: pick(random, [50, 200]), forMs, of: '.wal' });
    const crash = { kind: 'crash', machine, mode: pick(random, ['synced', 'torn'] as const), downMs: 100 } as const;
    faults.push({ ...crash, atMs: atMs + forMs * between(random, 0.5, 1) });
  }
  return { faults, flags: { 'backend-batch-limit': 1 }, rest: busy(stage) };
}

/** What watches of a member missed while it was away is compacted, and the compaction done, before it gets a snapshot. */
function compactedWhileAway(stage: Stage): Plot {
  const { random, scenario } = stage;
  const machine = drawMachine(stage);
  const soon = snapshotsSoon(scenario);
  const faults: Fault[] = [];
  for (let i = 0, atMs = stage.moment(); i < 3; i++, atMs += 2_500) {
    const forMs = between(random, 1_000, 1_500);
    const other = (machine + 1 + nextBelow(random, scenario.members - 1)) % scenario.members;
    faults.push({ atMs, kind: 'partition', machines: [machine], how: 'drop', forMs });
    faults.push({ atMs: atMs + 0.7 * forMs, kind: 'compact', machine: other, revisionsBack: 0 });
  }
  const flags = { ...soon.flags, ...quickElections, 'compaction-batch-limit': 1_000 };
  return { faults, flags, rest: { ...soon.rest, ...busy(stage), watchers: 8 } };
}

/**
 * What a member has proposed comes to the leader when the member has begun another life, in which others wait for answers: proposals of the
 * second life in the midst of the time in which those of the third are held up.
 */
function proposalsOfEarlierLives(stage: Stage): Plot {
  const { random, scenario } = stage;
  const machine = drawMachine(stage);
  const faults: Fault[] = [];
  const delay = (atMs: number, forMs: number, lateMs: number) => {
    for (let to = 0; to < scenario.members; to++)
      if (to !== machine) faults.push({ atMs, kind: 'cut', from: machine, to, how: 'delay', forMs, lateMs });
  };
  const crash = { kind: 'crash', machine, mode: 'process', downMs: 20 } as const;
  for (let i = 0, atMs = 0; i < 4; i++, atMs += 1_000) {
    // Soon after a life has begun, so that its ids are low.
    const secondMs = atMs + crash.downMs + between(random, 15, 60);
    const thirdMs = secondMs + 200;
    const lateMs = thirdMs - atMs;
    faults.push({ ...crash, atMs }, { ...crash, atMs: thirdMs });
    delay(secondMs, 200, secondMs - atMs + between(random, 50, 200));
    delay(secondMs + lateMs, 300, 0);
  }
  const many = { ...busy(stage), clients: 10, areRestless: true };
  return { faults, flags: quickElections, rest: { ...many, disks: quickDisks(scenario) } };
}

/** Members change while the leader makes a snapshot ready for one that was away. */
function membersChangeUnderSnapshot(stage: Stage): Plot {
  const { random, scenario } = stage;
  const { members } = scenario;
  // Administrators ask the first ones first, which must know what is new.
  const machine = members - 1;
  const other = nextBelow(random, machine);
  const atMs = stage.moment();
  const forMs = between(random, 600, 1_000);
  const backMs = atMs + forMs;
  const faults: Fault[] = [{ atMs, kind: 'crash', machine, mode: 'process', downMs: forMs }];
  for (let place = 0; place < members; place++)
    faults.push({ atMs: backMs - 100, kind: 'disk-slow', machine: place, times: 300, forMs: 2_000, of: '/db' });
  faults.push({
    ...{ atMs: backMs, when: 'snapshot', afterMs: between(random, 10, 60), kind: 'replace', machine: other },
    ...{ asLearner: chance(random, 0.3), isStale: false },
  });
  const soon = snapshotsSoon(scenario);
  // Nobody else is to commit just then.
  const idle = { 'backend-batch-limit': 10_000, 'backend-batch-interval': '10s', 'snapshot-count': 10_000 };
  const flags = { ...soon.flags, ...idle, ...quickElections, 'strict-reconfig-check': 'false' };
  return { faults, flags, rest: { ...soon.rest, ...busy(stage), disks: quickDisks(scenario) } };
}

/** A change of members that was refused would not be refused later; members that start again go through it once more. */
function refusedChange(stage: Stage): Plot {
  const { random, scenario } = stage;
  const machine = drawMachine(stage);
  const atMs = stage.moment();
  const faults: Fault[] = [{ atMs, kind: 'replace', machine, asLearner: false, isStale: false, isAddedInVain: true }];
  for (let place = 0; place < scenario.members; place++) {
    if (place === machine) continue;
    const crash = { kind: 'crash', machine: place, mode: 'process', downMs: 50 } as const;
    faults.push({ ...crash, atMs: atMs + between(random, 2_700, 4_200) });
  }
  return { faults, flags: { 'strict-reconfig-check': 'false', 'snapshot-count': 10_000 } };
}

/** A member that was removed while it was down comes back, and stays. */
function removedComesBack(stage: Stage): Plot {
  const { random } = stage;
  const fault = { kind: 'replace', machine: drawMachine(stage), asLearner: chance(random, 0.3) } as const;
  const faults: Fault[] = [{ ...fault, atMs: stage.moment(), isStale: true, staleMs: 6_000 }];
  return { faults, flags: { ...quickElections, 'strict-reconfig-check': 'false' } };
}

/** So many clients, and so much for them to do, that there is always something on its way. */
function busy({ scenario }: Stage) {
  return { clients: 7, thinkMs: 20, operations: 2 * scenario.operations };
}

function quickDisks({ members }: Scenario) {
  return Array.from({ length: members }, () => ({ syncMs: 0.5, otherMs: 0.02 }));
}

/** Time-outs of 200 to 400 ms. */
const quickElections = { 'heartbeat-interval': 20, 'election-timeout': 200 };

const narrowPlots = [
  votesForgotten,
  logBehindDatabase,
  compactedWhileAway,
  proposalsOfEarlierLives,
  membersChangeUnderSnapshot,
  refusedChange,
  removedComesBack,
];
