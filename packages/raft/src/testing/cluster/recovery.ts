import { assert } from '../../assert.ts';
import { ReadOnlyOption } from '../../core/config.ts';
import { configurationIds } from '../../tracker/configuration.ts';
import { isQuorum } from './quorums.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import { isUpToDate } from './simulated-disk.ts';
import type { SimulatedNode } from './simulated-node.ts';

const ROUNDS_MAX = 2000;

/**
 * Ends all trouble and waits until a new entry is applied by all members and their logs are the same. Throws if that does
 * not come about where it is promised.
 */
export function recover(cluster: SimulatedCluster): void {
  const { nodes, network, invariants } = cluster;
  network.reconnect();
  // Leases are not waited for here, so nothing can be said of reads that are still under way.
  if (cluster.setup.options.readOnlyOption === ReadOnlyOption.LeaseBased) for (const { reads } of nodes) reads.clear();
  for (const node of nodes) node.start();
  let target: number | undefined;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    retireRemoved(cluster);
    if (round % 100 === 99 && invariants.membership.mayBeStuck && nobodyCanWin(nodes)) return;
    if (round === 500 && isDeaf(cluster)) restartAll(nodes);
    for (const node of nodes) {
      cluster.tick(node);
      // A node that was added after a snapshot is not in it, and refuses it: only a newer one helps.
      if (round % 50 === 49) node.compact(0);
    }
    settle(cluster);
    const leader = leaderOf(nodes);
    if (leader?.raft === undefined) continue;
    const members = configurationIds(leader.raft.tracker.config).map((id) => cluster.node(Number(id)) as SimulatedNode);
    if (target !== undefined && hasConverged(members, target)) {
      for (const { raft } of members) if (raft !== undefined) invariants.log.checkWholeLog(raft);
      return;
    }
    if (round % 20 !== 0) continue;
    const next = invariants.log.committed + 1;
    if (cluster.propose(leader, 1)) target ??= next;
  }
  assert(false, `no progress: after all trouble ended${describeNodes(nodes)}`);
}

function hasConverged(members: readonly SimulatedNode[], target: number): boolean {
  const [{ disk: first } = { disk: undefined }] = members;
  if (first === undefined) return false;
  const { index, term } = first.lastEntryId();
  return members.every(({ disk }) => {
    const last = disk.lastEntryId();
    return disk.applied >= target && disk.applied === first.applied && last.index === index && last.term === term;
  });
}

/** Whether everybody who may campaign lacks something that somebody has whose vote it needs. */
function nobodyCanWin(nodes: readonly SimulatedNode[]): boolean {
  return nodes.every(({ id, disk: { confState }, disk }) => {
    if (!confState.voters.includes(id) && !confState.votersOutgoing.includes(id)) return true;
    const last = disk.lastEntryId();
    const wouldVote = (voter: bigint) => {
      const own = nodes.find((node) => node.id === voter)?.disk.lastEntryId();
      return own === undefined || isUpToDate(last, own);
    };
    return !isQuorum(confState, wouldVote);
  });
}

/** What happens between two ticks; not without end, as a node may refuse a snapshot again and again. */
function settle(cluster: SimulatedCluster): void {
  const { nodes, network } = cluster;
  for (let exchange = 0; exchange < 20; exchange++) {
    const messages = network.takeAll();
    for (const message of messages) cluster.deliver(message);
    for (const node of nodes) while (node.hasWork()) node.work();
    if (messages.length === 0) return;
  }
}

/**
 * Nodes that are no members any more are switched off, as operators do: they would call elections. But not before all
 * members know, since their votes may be needed until then.
 */
function retireRemoved({ nodes }: SimulatedCluster): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const newest = nodes.reduce((best, node) => (node.disk.applied > best.disk.applied ? node : best));
  const members = newest.memberIds();
  const needed = new Set(members);
  for (const member of members) for (const id of byId.get(member)?.memberIds() ?? []) needed.add(id);
  for (const node of nodes) {
    if (!needed.has(node.id)) node.crash(false, 0);
    else node.start();
  }
}

/**
 * Without pre-votes and leases a learner whose term is higher than the leader's hears of it no more, and cannot make it step
 * down: a known gap, which a new term ends.
 */
function isDeaf({ nodes, setup: { options } }: SimulatedCluster): boolean {
  const term = leaderOf(nodes)?.raft?.term ?? Number.POSITIVE_INFINITY;
  return options.preVote !== true && options.checkQuorum !== true && nodes.some(({ raft }) => (raft?.term ?? 0) > term);
}

function restartAll(nodes: readonly SimulatedNode[]): void {
  for (const node of nodes) {
    if (node.raw === undefined) continue;
    node.crash(false, 0);
    node.start();
  }
}

/** The one of the highest term, if there are more. */
function leaderOf(nodes: readonly SimulatedNode[]): SimulatedNode | undefined {
  const leaders = nodes.filter(({ isLeader }) => isLeader);
  return leaders.sort((a, b) => (b.raft?.term ?? 0) - (a.raft?.term ?? 0))[0];
}

/** A line a node. */
function describeNodes(nodes: readonly SimulatedNode[]): string {
  const lines = nodes.map(({ id, raft, disk }) => {
    if (raft === undefined) return `${id} is down`;
    const progress = raft.tracker.ordered.map((one) => `${one.id}: ${one}`).join(', ');
    return `${id} ${raft.role.state} term ${raft.term} applied ${disk.applied} [${raft.log}] ${progress}`;
  });
  return lines.map((line) => `\n    ${line}`).join('');
}
