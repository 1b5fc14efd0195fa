import type { CrashMode } from '@quorate/base';
import type { Steps } from './run.ts';
import type { Fault, Scenario } from './scenario.ts';

/** Of the disk, from the crash on: a second one comes in the midst of recovery, each time a little later. */
const againMax = 40;
const downMs = 50;
const modes: readonly CrashMode[] = ['torn', 'synced', 'process'];

/** A scenario without faults, from the first start on: what {@link crashPoints} are counted in. */
export function withoutFaults(scenario: Scenario): Scenario {
  return { ...scenario, faults: [], beginsInPeace: scenario.hasUsers };
}

/**
 * The same work again and again, each time with a crash of one machine at the next place where it waits for its disk, or has just sent
 * something, and with a second crash while it recovers.
 *
 * @param steps of a run of `scenario`, which has no faults.
 * @param stride takes every so many places only.
 */
export function* crashPoints(scenario: Scenario, steps: readonly Steps[], stride = 1): Generator<Scenario> {
  let count = 0;
  /** `place` among the operations of the disk, where the second crash is counted from. */
  const point = (
    machine: number,
    place: number,
    first: { kind: 'crash-at'; operations: number } | { kind: 'crash-at-send'; messages: number },
  ) => {
    const how = { atMs: 0, machine, mode: modes[count % modes.length] as CrashMode, downMs };
    const again: Fault = { ...how, kind: 'crash-at', operations: place + 1 + (count % againMax) };
    count++;
    return { ...scenario, faults: [{ ...how, ...first }, again] };
  };
  for (const [machine, { diskOperations, messages }] of steps.entries()) {
    for (let place = 0; place < diskOperations; place += stride) {
      yield point(machine, place, { kind: 'crash-at', operations: place });
    }
    for (let sent = 0; sent < messages; sent += stride) {
      yield point(machine, Math.floor((sent * diskOperations) / messages), { kind: 'crash-at-send', messages: sent });
    }
  }
}
