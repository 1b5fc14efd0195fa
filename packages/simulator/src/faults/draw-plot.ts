import { nextBelow, type Random } from '@quorate/base';
import type { Fault, Scenario } from '../scenario.ts';
import { between, chance, pick } from '../world/random-sources.ts';
import { drawMachine, type Plot, type Stage, snapshotsSoon, withFaults } from './plot.ts';

const plotRate = 0.6;
/** How often a plot is played in one run. */
const timesMax = 3;
/** Work with seven clients lasts about so long. */
const staleMs = 5_000;

/**
 * Faults by themselves seldom meet: a crash in the few steps after a defragmentation, say, or a snapshot for a member that was away while
 * a permission changed. So most scenarios have a plot besides, faults in the order in which they do harm.
 */
export function withPlot(random: Random, scenario: Scenario, durationMs: number): Scenario {
  if (!chance(random, plotRate)) return scenario;
  const draw = pick(random, scenario.members < 3 ? lonelyPlots : allPlots);
  const stage = { random, scenario, moment: () => between(random, 0, durationMs * 0.7) };
  const times = draw === staleLeader ? 1 : 1 + nextBelow(random, timesMax);
  const plots = Array.from({ length: times }, () => draw(stage));
  return withFaults(scenario, plots);
}

/** A crash within so many steps from the first on a file of that ending. */
function crashAfter({ random }: Stage, atMs: number, machine: number, after: string, operationsMax: number): Fault {
  return {
    ...{ atMs, kind: 'crash-at', machine, after },
    operations: nextBelow(random, operationsMax),
    mode: pick(random, ['synced', 'torn', 'torn', 'process']),
    downMs: between(random, 20, 300),
  };
}

/** In the midst of a defragmentation, or just behind it. */
function defragmentAndCrash(stage: Stage): Plot {
  const machine = drawMachine(stage);
  const atMs = stage.moment();
  const faults: Fault[] = [
    crashAfter(stage, atMs, machine, '.tmp.defragment', 60),
    { atMs, kind: 'defragment', machine },
  ];
  return { faults };
}

/** Between two commits of the database, each as small as can be. */
function crashInCommit(stage: Stage): Plot {
  const machine = drawMachine(stage);
  const faults = Array.from({ length: 3 }, () => crashAfter(stage, stage.moment(), machine, '/db', 12));
  return { faults, flags: { 'backend-batch-limit': 1 }, rest: { taste: 'wide' } };
}

/** In a write of the log, and again before what it left is written over. */
function crashInLogTwice(stage: Stage): Plot {
  const { random, scenario } = stage;
  const machine = drawMachine(stage);
  const atMs = stage.moment();
  const first = crashAfter(stage, atMs, machine, '.wal', 4);
  const downMs = between(random, 20, 100);
  const again = atMs + downMs + between(random, 20, 400);
  const faults: Fault[] = [{ ...first, downMs, mode: 'torn' } as Fault, crashAfter(stage, again, machine, '.wal', 8)];
  if (chance(random, 0.4) && scenario.members > 1) {
    // What it has sent comes when it has begun another life.
    for (let to = 0; to < scenario.members; to++) {
      if (to !== machine)
        faults.push({ atMs: again - 20, kind: 'cut', from: machine, to, how: 'clog', forMs: between(random, 50, 800) });
    }
  }
  return { faults, rest: { taste: 'big' } };
}

/** In the midst of a compaction that deletes one revision at a time. */
function compactAndCrash(stage: Stage): Plot {
  const { random } = stage;
  const machine = drawMachine(stage);
  const atMs = stage.moment();
  const crash: Fault = {
    ...{ atMs: atMs + between(random, 5, 300), kind: 'crash', machine },
    ...{ mode: pick(random, ['synced', 'torn', 'process'] as const), downMs: between(random, 20, 300) },
  };
  const compact: Fault = { atMs, kind: 'compact', machine, revisionsBack: nextBelow(random, 5) };
  return { faults: [compact, crash], flags: { 'compaction-batch-limit': 1 } };
}

/** A member is away for so long that only a snapshot brings it back: with a crash then, or with something else at work in its database. */
function behindAndSnapshot(stage: Stage): Plot {
  const { random, scenario } = stage;
  const machine = drawMachine(stage);
  const atMs = stage.moment();
  const forMs = between(random, 300, 1_500);
  const faults: Fault[] = [{ atMs, kind: 'partition', machines: [machine], how: 'drop', forMs }];
  const backMs = atMs + forMs;
  const during = () => between(random, atMs + 50, backMs);
  const soon = snapshotsSoon(scenario);
  if (chance(random, 0.4)) {
    const disks = scenario.disks.map((speed, place) => (place === machine ? { syncMs: 8, otherMs: 1 } : speed));
    Object.assign(soon.rest, { disks });
    // So many that one is at it when the snapshot comes.
    for (let i = 0; i < 15; i++) faults.push({ atMs: backMs + 15 * i, kind: 'defragment', machine });
  } else if (chance(random, 0.7)) {
    faults.push(crashAfter(stage, backMs, machine, '.snap.db', 80));
  }
  if (chance(random, 0.3))
    faults.push({ atMs: during(), kind: 'compact', machine: (machine + 1) % scenario.members, revisionsBack: 0 });
  if (chance(random, 0.3)) faults.push({ atMs: atMs - 20, kind: 'compact', machine, revisionsBack: 0 });
  return { faults, ...soon };
}

/** Permissions change while a member is away, who hears of it by a snapshot. */
function permissionsBySnapshot(stage: Stage): Plot {
  const { random, scenario } = stage;
  const machine = drawMachine(stage);
  const atMs = stage.moment();
  const forMs = between(random, 500, 2_000);
  const faults: Fault[] = [{ atMs, kind: 'partition', machines: [machine], how: 'drop', forMs }];
  // The work goes on until then.
  faults.push({ atMs: atMs + forMs + 1_500, kind: 'compare-hashes' });
  let isAllowed = chance(random, 0.5);
  for (let left = 1 + nextBelow(random, 3); left > 0; left--) {
    faults.push({ atMs: between(random, atMs - 200, atMs + forMs), kind: 'permission', isAllowed });
    isAllowed = !isAllowed;
  }
  const { flags, rest } = snapshotsSoon(scenario);
  return { faults, flags, rest: { ...rest, hasUsers: true, beginsInPeace: true } };
}

/** A machine becomes another member while messages to the one before are on their way, and others start again. */
function replaceAndRemember(stage: Stage): Plot {
  const { random, scenario } = stage;
  const machine = drawMachine(stage);
  const other = (machine + 1 + nextBelow(random, scenario.members - 1)) % scenario.members;
  const atMs = stage.moment();
  const faults: Fault[] = [
    { atMs, kind: 'replace', machine, asLearner: chance(random, 0.3), isStale: chance(random, 0.2) },
  ];
  if (chance(random, 0.7)) {
    const forMs = between(random, 300, 2_000);
    faults.push({ atMs: atMs - between(random, 0, 200), kind: 'partition', machines: [machine], how: 'delay', forMs });
  }
  if (chance(random, 0.7)) {
    const crash = {
      kind: 'crash',
      machine: other,
      mode: pick(random, ['process', 'synced'] as const),
      downMs: between(random, 20, 200),
    } as const;
    faults.push({ ...crash, atMs: atMs + between(random, 50, 1_500) });
  }
  // At once, however short the others have been connected.
  return { faults, flags: { 'snapshot-count': pick(random, [20, 100]), 'strict-reconfig-check': 'false' } };
}

/**
 * A leader is cut off, or stands still, for about as long as it takes the others to elect another, and again; in a network with much on its
 * way at any time, with a member that is slow, and with clients that ask for what is newest all the time.
 */
function staleLeader(stage: Stage): Plot {
  const { random, scenario } = stage;
  const electionMs = 500;
  const draw = (atMs: number): Fault => {
    const forMs = electionMs * between(random, 1.3, 1.9);
    if (chance(random, 0.15)) return { atMs, kind: 'hold-leader', forMs };
    const deafMs = chance(random, 0.7) ? electionMs * between(random, 0.05, 0.25) : 0;
    return { atMs, kind: 'isolate-leader', how: chance(random, 0.7) ? 'clog' : 'drop', forMs, deafMs };
  };
  const slow = drawMachine(stage);
  const faults: Fault[] = [];
  for (let atMs = 200; atMs < staleMs; atMs += 3.5 * electionMs)
    faults.push(draw(atMs + between(random, 0, electionMs)));
  return {
    faults,
    flags: { 'heartbeat-interval': electionMs / 10, 'election-timeout': electionMs },
    rest: {
      ...{ clients: 7, areHasty: true, thinkMs: 20, operations: 2 * scenario.operations },
      network: { ...scenario.network, latencyMs: pick(random, [1, 3]), reorders: chance(random, 0.1) },
      disks: scenario.disks.map((speed, place) => (place === slow ? { syncMs: 20, otherMs: 0.1 } : speed)),
    },
  };
}

/** A leader stands still until leases that it knows of have ended; or it cannot end them when it should, since it hears nothing for a while. */
function heldLeader(stage: Stage): Plot {
  const { random } = stage;
  const rest = { leaseholders: 6 };
  if (chance(random, 0.5)) {
    return { faults: [{ atMs: stage.moment(), kind: 'hold-leader', forMs: between(random, 1_500, 4_000) }], rest };
  }
  const faults: Fault[] = [];
  for (let i = 0, atMs = stage.moment(); i < 8; i++, atMs += 600) {
    const forMs = between(random, 100, 400);
    faults.push({ atMs, kind: 'isolate-leader', how: 'clog', forMs, deafMs: forMs });
  }
  return { faults, rest };
}

const lonelyPlots = [defragmentAndCrash, crashInCommit, crashInLogTwice, compactAndCrash];
const allPlots = [
  ...lonelyPlots,
  ...[
    behindAndSnapshot,
    behindAndSnapshot,
    permissionsBySnapshot,
    replaceAndRemember,
    staleLeader,
    staleLeader,
    heldLeader,
  ],
];
