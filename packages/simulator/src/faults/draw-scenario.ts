import { type CrashMode, nextBelow, type Random } from '@quorate/base';
import type { CutKind } from '../network/network.ts';
import type { Fault, Scenario } from '../scenario.ts';
import { between, chance, exponential, pick, sourceOf } from '../world/random-sources.ts';
import { withAdministration } from './draw-administration.ts';
import { withDecay } from './draw-decay.ts';
import { withNarrowPlot } from './draw-narrow-plot.ts';
import { withPlot } from './draw-plot.ts';
import { withQuota } from './quota.ts';

export interface ScenarioLimits {
  readonly operations: number;
}

/** Of an election time-out. */
const electionHeartbeats = 10;
/** Of all scenarios. */
const sendsRate = 0.15;
/** What a scenario is without {@link ScenarioLimits}. */
const defaults: ScenarioLimits = { operations: 400 };

/** Draws all of a run from a seed. */
export function drawScenario(seed: number, limits: Partial<ScenarioLimits> = {}): Scenario {
  const { operations } = { ...defaults, ...limits };
  const random = sourceOf(seed, 'scenario');
  const members = pick(random, [1, 3, 3, 3, 3, 5]);
  const clients = 2 + nextBelow(random, 6);
  const thinkMs = pick(random, [5, 20, 60]);
  const durationMs = 2_000 + (operations / clients) * (thinkMs + 15);
  const hasUsers = chance(random, 0.25);
  const heartbeatMs = pick(random, [20, 50, 100]);
  const shared = drawSharedFlags(random, heartbeatMs);
  const scenario: Scenario = {
    ...{ seed, members, clients, operations, thinkMs },
    beginsInPeace: hasUsers || chance(random, 0.8),
    hasUsers,
    taste: 'usual',
    areHasty: false,
    watchers: 1 + nextBelow(random, 4),
    leaseholders: nextBelow(random, 3),
    mirrors: nextBelow(random, 3),
    lockers: pick(random, [0, 0, 2, 4]),
    network: drawNetwork(random),
    disks: Array.from({ length: members }, () => ({
      syncMs: pick(random, [0.2, 1, 1, 8]),
      otherMs: pick(random, [0.02, 0.05, 0.5]),
    })),
    walSegmentBytes: Array.from({ length: members }, () => pick(random, [16_384, 65_536, 1_000_000])),
    compactEveryEntries: Array.from({ length: members }, () => pick(random, [5, 20, 1_000])),
    clockRates: Array.from({ length: members }, () => (chance(random, 0.3) ? between(random, 0.98, 1.02) : 1)),
    flags: Array.from({ length: members }, () => [...shared, ...drawOwnFlags(random)]),
    faults: drawFaults(random, members, durationMs, hasUsers),
  };
  const sends = drawSends(sourceOf(seed, 'sends'), members, durationMs);
  const withSends = { ...scenario, faults: [...scenario.faults, ...sends].sort((a, b) => a.atMs - b.atMs) };
  const plotted = withNarrowPlot(withSends, () => withPlot(sourceOf(seed, 'plot'), withSends, durationMs));
  const decayed = withDecay(sourceOf(seed, 'decay'), plotted, durationMs);
  return withAdministration(withQuota(sourceOf(seed, 'quota'), decayed), durationMs);
}

/** Crashes in the midst of what a member says. */
function drawSends(random: Random, members: number, durationMs: number): Fault[] {
  if (!chance(random, sendsRate)) return [];
  return Array.from({ length: 1 + nextBelow(random, 4) }, () => ({
    ...{ atMs: between(random, 0, durationMs), kind: 'crash-at-send' as const, machine: nextBelow(random, members) },
    messages: nextBelow(random, 200),
    mode: pick(random, crashModes),
    downMs: 20 + exponential(random, 500),
  }));
}

function drawNetwork(random: Random): Scenario['network'] {
  const isBad = chance(random, 0.3);
  return {
    latencyMs: pick(random, [0.1, 0.5, 2]),
    jitterMs: pick(random, [0.05, 0.5, 3]),
    loss: isBad ? pick(random, [0.001, 0.01, 0.05]) : 0,
    duplication: isBad ? pick(random, [0, 0.01, 0.05]) : 0,
    reorders: chance(random, 0.3),
  };
}

/** The same on all members. */
function drawSharedFlags(random: Random, heartbeatMs: number): string[] {
  return [
    `--heartbeat-interval=${heartbeatMs}`,
    `--election-timeout=${heartbeatMs * electionHeartbeats}`,
    ...(chance(random, 0.2) ? ['--pre-vote=false'] : []),
  ];
}

/** Tiny or large, on each member otherwise. */
function drawOwnFlags(random: Random): string[] {
  return [
    `--snapshot-count=${pick(random, [5, 20, 100, 10_000])}`,
    `--snapshot-catchup-entries=${pick(random, [1, 10, 5_000])}`,
    `--backend-batch-limit=${pick(random, [1, 10, 10_000])}`,
    `--backend-batch-interval=${pick(random, ['1ms', '20ms', '100ms'])}`,
    `--compaction-batch-limit=${pick(random, [1, 10, 1_000])}`,
    `--corrupt-check-time=${pick(random, ['0s', '500ms', '3s'])}`,
    `--compact-hash-check-time=${pick(random, ['500ms', '60s'])}`,
    `--feature-gates=InitialCorruptCheck=${chance(random, 0.5)},CompactHashCheck=${chance(random, 0.5)}`,
    ...(chance(random, 0.2) ? ['--auto-compaction-mode=revision', '--auto-compaction-retention=30'] : []),
  ];
}

const crashModes: readonly CrashMode[] = ['process', 'synced', 'torn', 'torn'];

function drawFaults(random: Random, members: number, durationMs: number, hasUsers: boolean): Fault[] {
  const count = pick(random, [0, 2, 5, 10, 20]);
  const kinds = drawKinds(random);
  const faults: Fault[] = [];
  for (let i = 0; i < count; i++)
    faults.push(drawFault(random, pick(random, kinds), members, between(random, 0, durationMs)));
  for (let left = hasUsers ? 2 + nextBelow(random, 12) : 0; left > 0; left--) {
    faults.push({ atMs: between(random, 0, durationMs), kind: 'permission', isAllowed: chance(random, 0.5) });
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

const allKinds: readonly Fault['kind'][] = [
  'cut',
  'partition',
  'isolate-leader',
  'clients-cut',
  'crash',
  'crash-at',
  'crash-all',
  'disk-error',
  'disk-full',
  'disk-stall',
  'disk-slow',
  'stall-leader',
  'hold',
  'clock-jump',
  'move-leader',
  'defragment',
  'compare-hashes',
  'replace',
  'rot',
];

/** Not everything at once in every run: some kinds, each run others. */
function drawKinds(random: Random): Fault['kind'][] {
  const kinds = allKinds.filter(() => chance(random, 0.4));
  return kinds.length > 0 ? kinds : [pick(random, allKinds)];
}

function drawFault(random: Random, kind: Fault['kind'], members: number, atMs: number): Fault {
  const machine = nextBelow(random, members);
  const forMs = 50 + exponential(random, 1_000);
  const downMs = 20 + exponential(random, 500);
  const how: CutKind = chance(random, 0.7) ? 'drop' : 'clog';
  const mode = pick(random, crashModes);
  switch (kind) {
    case 'cut':
      return {
        atMs,
        kind,
        from: machine,
        to: (machine + 1 + nextBelow(random, Math.max(1, members - 1))) % members,
        how,
        forMs,
      };
    case 'partition': {
      const size = 1 + nextBelow(random, Math.max(1, members >> 1));
      const machines = Array.from({ length: size }, (_, i) => (machine + i) % members);
      return { atMs, kind, machines, how, forMs };
    }
    case 'isolate-leader':
      return { atMs, kind, how, forMs };
    case 'clients-cut':
      return { atMs, kind, machine, how, forMs };
    case 'crash-at':
      return { atMs, kind, machine, operations: nextBelow(random, 60), mode, downMs };
    case 'crash-all':
      return { atMs, kind, mode, downMs };
    case 'disk-error':
      return { atMs, kind, machine, operation: pick(random, ['datasync', 'sync', 'write', 'read'] as const) };
    case 'disk-full':
    case 'disk-stall':
    case 'hold':
      return { atMs, kind, machine, forMs };
    case 'disk-slow':
      return { atMs, kind, machine, times: pick(random, [5, 50]), forMs };
    case 'stall-leader':
      return { atMs, kind, forMs: 200 + exponential(random, 1_500) };
    case 'clock-jump':
      return { atMs, kind, machine, ms: between(random, -10_000, 10_000) };
    case 'move-leader':
      return { atMs, kind, to: machine };
    case 'defragment':
      return { atMs, kind, machine };
    case 'compare-hashes':
      return { atMs, kind };
    case 'replace':
      return { atMs, kind, machine, asLearner: chance(random, 0.4), isStale: chance(random, 0.3) };
    case 'rot':
      return { atMs, kind, machine, bits: 1 + nextBelow(random, 3) };
    default:
      return { atMs, kind: 'crash', machine, mode, downMs };
  }
}
