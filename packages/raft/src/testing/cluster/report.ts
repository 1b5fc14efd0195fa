import { describeMessage } from '../../describe.ts';
import { describeEvent } from './cluster-event.ts';
import { describeSetup } from './cluster-setup.ts';
import type { Outcome, Scenario } from './run.ts';
import { shrink } from './shrink.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** What is to be known of a failed run: the shrunk run event by event, and how to run it again. */
export function reportFailure({ scenario, failure }: Outcome, again: string): string {
  if (failure === undefined) return '';
  const small = shrink(scenario, failure);
  return [
    `${failure.message}`,
    `again: ${again}`,
    `shrunk from ${scenario.events.length} events to ${small.scenario.events.length} in ${small.runs} runs: ${small.failure.message}`,
    describeSetup(small.scenario.setup),
    ...narrate(small.scenario),
  ].join('\n  ');
}

/** A line for each event: what it was, the message it moved, and the nodes it changed. */
function narrate({ setup, events, recovers }: Scenario): string[] {
  const cluster = new SimulatedCluster(setup);
  let before = cluster.nodes.map(stateOf);
  const lines = events.map((event, i) => {
    const message = 'place' in event ? cluster.network.peek(event.from, event.to, event.place) : undefined;
    const moved =
      message === undefined ? [] : [describeMessage(message, (data) => `#${data.join('.')}`).replaceAll(/\s+/g, ' ')];
    try {
      cluster.apply(event);
    } catch {
      // The last one: this is the failure that is reported.
    }
    const after = cluster.nodes.map(stateOf);
    const changed = after.filter((state, node) => state !== before[node]);
    before = after;
    return `${String(i + 1).padStart(4)}. ${[describeEvent(event), ...moved, ...changed].join(' | ')}`;
  });
  return recovers ? [...lines, '      then all trouble ends'] : lines;
}

function stateOf({ id, raft, disk }: SimulatedNode): string {
  if (raft === undefined) return `${id} is down`;
  const { state } = raft.role;
  return (
    `${id} ${state.slice('State'.length).toLowerCase()} of term ${raft.term}, log to ${raft.log.lastIndex()}, ` +
    `committed ${raft.log.committed}, applied ${disk.applied}`
  );
}
