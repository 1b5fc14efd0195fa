import { nextBelow, type Random } from '@quorate/base';
import type { Fault, LeaderChange, RestorePlan, Scenario } from '../scenario.ts';
import { between, chance, pick, sourceOf } from '../world/random-sources.ts';

/** Where it is set, the cluster may be full. */
export const quotaFlag = 'quota-backend-bytes';
/** Of runs in which snapshots are saved. */
const savingRate = 0.08;
/** Of those, and of all others, in which a cluster is restored at the end. */
const restoringRate = 0.6;
const restoringAloneRate = 0.05;
/** Of runs that end with leases that last for long. */
const vigilRate = 0.04;
/** How often something is done to the member meanwhile. */
const disturbedRate = 0.5;

/** Adds what administrators do in some runs, drawn from sources of its own: all other runs stay as they are. */
export function withAdministration(scenario: Scenario, durationMs: number): Scenario {
  const random = sourceOf(scenario.seed, 'administration');
  const isSaving = chance(random, savingRate);
  const saves = isSaving ? drawSaves(random, scenario, durationMs) : [];
  const isRestoring = chance(random, isSaving ? restoringRate : restoringAloneRate);
  return withVigil({
    ...(saves.length > 0 ? withFaults(scenario, saves) : scenario),
    ...(isRestoring ? { restore: drawRestore(random) } : {}),
  });
}

function hasFlag({ flags }: Scenario, name: string): boolean {
  return flags.some((own) => own.some((flag) => flag.startsWith(`--${name}=`)));
}

function withVigil(scenario: Scenario): Scenario {
  const random = sourceOf(scenario.seed, 'vigil');
  // In a cluster that is full no leases are granted.
  if (!chance(random, vigilRate) || hasFlag(scenario, quotaFlag)) return scenario;
  const hasCheckpoints = chance(random, 0.75);
  const ttlSeconds = pick(random, [1_000, 1_500]);
  const changes: LeaderChange[] = [
    between(random, 320, 700),
    between(random, ttlSeconds * 0.85, ttlSeconds * 0.98),
  ].map((atSeconds) => ({ atMs: atSeconds * 1_000, how: pick(random, ['move', 'hold', 'crash-all'] as const) }));
  // Just behind a checkpoint, so that the next leader knows of it and not of the renewal.
  const renewedMs = [between(random, 305_000, 400_000)];
  const leases = [
    { ttlSeconds, renewedMs: [] },
    { ttlSeconds, renewedMs },
  ];
  return { ...scenario, vigil: { hasCheckpoints, leases, changes } };
}

function drawRestore(random: Random): RestorePlan {
  const plan = { members: pick(random, [1, 3, 3]), bumpRevision: pick(random, [0, 0, 1, 1_000_000]) };
  if (!chance(random, disturbedRate)) return plan;
  const mode = pick(random, ['process', 'synced', 'torn', 'torn'] as const);
  return { ...plan, crash: { machine: nextBelow(random, plan.members), operations: nextBelow(random, 80), mode } };
}

function withFaults(scenario: Scenario, faults: readonly Fault[]): Scenario {
  return { ...scenario, faults: [...scenario.faults, ...faults].sort((a, b) => a.atMs - b.atMs) };
}

/** Snapshots at any time, and what gets into their way: the member is gone, rewrites its database, or deletes old revisions. */
function drawSaves(random: Random, { members }: Scenario, durationMs: number): Fault[] {
  const faults: Fault[] = [];
  for (let left = 1 + nextBelow(random, 4); left > 0; left--) {
    const atMs = between(random, 0, durationMs);
    const machine = nextBelow(random, members);
    faults.push({ atMs, kind: 'save-snapshot', machine, restMs: pick(random, [0, 0, 50, 500]) });
    if (chance(random, disturbedRate)) faults.push(drawDisturbance(random, machine, atMs + between(random, 0, 30)));
  }
  return faults;
}

function drawDisturbance(random: Random, machine: number, atMs: number): Fault {
  switch (nextBelow(random, 4)) {
    case 0:
      return { atMs, kind: 'defragment', machine };
    case 1:
      return { atMs, kind: 'compact', machine, revisionsBack: nextBelow(random, 5) };
    case 2:
      return { atMs, kind: 'disk-slow', machine, times: 50, forMs: 500 };
    default:
      return { atMs, kind: 'crash', machine, mode: pick(random, ['process', 'torn'] as const), downMs: 100 };
  }
}
