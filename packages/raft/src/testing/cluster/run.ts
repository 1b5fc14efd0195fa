import type { ClusterEvent } from './cluster-event.ts';
import { type ClusterSetup, drawSetup } from './cluster-setup.ts';
import { EventSource } from './event-source.ts';
import { recover } from './recovery.ts';
import { SeededRandom } from './seeded-random.ts';
import { type Activity, SimulatedCluster } from './simulated-cluster.ts';

/** A run as data: the same events on the same cluster end the same. */
export interface Scenario {
  readonly setup: ClusterSetup;
  readonly events: readonly ClusterEvent[];
  /** Whether the cluster is to recover after the events. */
  readonly recovers: boolean;
}

export interface Outcome {
  /** What happened: of a run that failed, up to there. */
  readonly scenario: Scenario;
  readonly activity: Activity;
  readonly failure: Error | undefined;
}

/** Draws and runs `steps` events, then lets the cluster recover. */
export function runSeed(seed: number, steps: number): Outcome {
  const random = new SeededRandom(seed);
  const setup = drawSetup(seed, random);
  const cluster = new SimulatedCluster(setup);
  const source = new EventSource(random, cluster);
  return run(cluster, (done) => (done < steps ? source.next() : undefined), true);
}

/** Runs it again. @param check more to be checked after every event; throws what is to count as a failure */
export function replay({ setup, events, recovers }: Scenario, check?: (cluster: SimulatedCluster) => void): Outcome {
  return run(new SimulatedCluster(setup), (done) => events[done], recovers, check);
}

function run(
  cluster: SimulatedCluster,
  next: (done: number) => ClusterEvent | undefined,
  recovers: boolean,
  check?: (cluster: SimulatedCluster) => void,
): Outcome {
  const events: ClusterEvent[] = [];
  let failure: Error | undefined;
  let isRecovering = false;
  try {
    for (let event = next(0); event !== undefined; event = next(events.length)) {
      events.push(event);
      cluster.apply(event);
      check?.(cluster);
    }
    isRecovering = recovers;
    if (recovers) recover(cluster);
  } catch (error) {
    failure = error as Error;
  }
  const scenario = { setup: cluster.setup, events, recovers: failure === undefined ? recovers : isRecovering };
  return { scenario, activity: cluster.activity, failure };
}

/** What is the same in failures for the same reason: their text up to the first colon, without numbers. */
export function failureKind(failure: Error): string {
  return (failure.message.split(':')[0] as string).replace(/\d+/g, '#');
}
