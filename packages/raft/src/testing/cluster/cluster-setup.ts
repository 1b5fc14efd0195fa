import type { RaftConfig } from '../../core/config.ts';
import { ReadOnlyOption } from '../../core/config.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Options of all nodes. */
export type NodeOptions = Omit<RaftConfig, 'storage' | 'applied' | 'id' | 'random'>;

/** What a cluster is like before anything happens, as plain data. */
export interface ClusterSetup {
  /** Of the nodes' election timeouts. */
  readonly seed: number;
  /** Nodes there are, ascending. Who is neither voter nor learner is empty, and may be added. */
  readonly nodes: readonly number[];
  readonly voters: readonly number[];
  readonly learners: readonly number[];
  readonly options: NodeOptions;
  /** A leader sends before it stores, which it may. */
  readonly sendsEarly: boolean;
  /** The state machine is as durable as the log; else a restart begins at the last snapshot. */
  readonly durableApply: boolean;
}

export function drawSetup(seed: number, random: SeededRandom): ClusterSetup {
  const count = random.pick([1, 2, 3, 3, 3, 3, 4, 4, 5, 5, 5, 6, 7]);
  const nodes = Array.from({ length: count }, (_, i) => i + 1);
  const members = random.chance(0.5) ? nodes : nodes.slice(0, 1 + random.below(count));
  const learners = members.length > 1 && random.chance(0.2) ? members.slice(-1) : [];
  return {
    seed,
    nodes,
    voters: members.slice(0, members.length - learners.length),
    learners,
    options: drawOptions(random),
    sendsEarly: random.chance(0.5),
    durableApply: random.chance(0.6),
  };
}

function drawOptions(random: SeededRandom): NodeOptions {
  const isLeaseBased = random.chance(0.22);
  const maxSizePerMsg = random.pick([0, 32, Number.POSITIVE_INFINITY]);
  return {
    electionTick: 5,
    heartbeatTick: 1,
    asyncStorageWrites: random.chance(0.4),
    preVote: random.chance(0.5),
    checkQuorum: isLeaseBased || random.chance(0.5),
    readOnlyOption: isLeaseBased ? ReadOnlyOption.LeaseBased : ReadOnlyOption.Safe,
    stepDownOnRemoval: random.chance(0.5),
    disableProposalForwarding: random.chance(0.1),
    maxInflightMsgs: random.pick([1, 2, 8]),
    maxSizePerMsg,
    maxInflightBytes: random.chance(0.3) ? Math.max(32, maxSizePerMsg) : Number.POSITIVE_INFINITY,
    maxCommittedSizePerReady: random.pick([1, 64, Number.POSITIVE_INFINITY]),
    maxUncommittedEntriesSize: random.pick([64, Number.POSITIVE_INFINITY]),
  };
}

/** Without one of its nodes; undefined when nobody could vote any more. */
export function withoutNode(setup: ClusterSetup, node: number): ClusterSetup | undefined {
  const without = (numbers: readonly number[]) => numbers.filter((other) => other !== node);
  const voters = without(setup.voters);
  if (voters.length === 0) return undefined;
  return { ...setup, nodes: without(setup.nodes), voters, learners: without(setup.learners) };
}

const plainOptions: Partial<NodeOptions> = {
  asyncStorageWrites: false,
  preVote: false,
  checkQuorum: false,
  readOnlyOption: ReadOnlyOption.Safe,
  stepDownOnRemoval: false,
  disableProposalForwarding: false,
  maxInflightMsgs: 8,
  maxInflightBytes: Number.POSITIVE_INFINITY,
  maxSizePerMsg: Number.POSITIVE_INFINITY,
  maxCommittedSizePerReady: Number.POSITIVE_INFINITY,
  maxUncommittedEntriesSize: Number.POSITIVE_INFINITY,
};

/** Ways to make a setup plainer, each a setup that differs in one thing, or undefined when that is plain already. */
export const plainer: readonly ((setup: ClusterSetup) => ClusterSetup | undefined)[] = [
  (setup) => (setup.sendsEarly ? { ...setup, sendsEarly: false } : undefined),
  (setup) => (setup.durableApply ? undefined : { ...setup, durableApply: true }),
  (setup) => (setup.learners.length > 0 ? { ...setup, learners: [] } : undefined),
  ...(Object.keys(plainOptions) as (keyof NodeOptions)[]).map((name) => (setup: ClusterSetup) => {
    if (setup.options[name] === plainOptions[name]) return undefined;
    // Leases need the check of the quorum.
    if (name === 'checkQuorum' && setup.options.readOnlyOption === ReadOnlyOption.LeaseBased) return undefined;
    return { ...setup, options: { ...setup.options, [name]: plainOptions[name] } };
  }),
];

/** What of a setup is not plain, for people. */
export function describeSetup({ nodes, voters, learners, options, sendsEarly, durableApply }: ClusterSetup): string {
  const parts = [`nodes ${nodes.join()}`, `voters ${voters.join()}`];
  if (learners.length > 0) parts.push(`learners ${learners.join()}`);
  for (const name of Object.keys(plainOptions) as (keyof NodeOptions)[]) {
    if (options[name] !== plainOptions[name]) parts.push(`${name} ${options[name]}`);
  }
  if (sendsEarly) parts.push('a leader sends before it stores');
  if (!durableApply) parts.push('applied anew from the last snapshot after a restart');
  return parts.join(', ');
}
