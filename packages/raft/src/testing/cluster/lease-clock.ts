import type { SimulatedNode } from './simulated-node.ts';

/** Ticks of every leader for one of another node. */
export const LEADER_TICKS = 4;

/**
 * The conditions under which lease-based reads hold. A leader checks its quorum each election timeout, and so may lead for
 * two of them after it last heard of it; the others wait for one. So even with clocks that run alike a lease does not
 * last as long as it is relied on. Here it does: leaders' clocks run faster, what is underway for long is lost, nobody
 * comes back to life before leases end, and elections begin by time alone.
 */
export class LeaseClock {
  private readonly nodes: readonly SimulatedNode[];
  private readonly electionTick: number;
  /** By node: the ticks of all nodes at its own last one, or when it died. */
  private readonly seen = new Map<bigint, readonly number[]>();

  constructor(nodes: readonly SimulatedNode[], electionTick: number) {
    this.nodes = nodes;
    this.electionTick = electionTick;
  }

  private leadersHad(node: SimulatedNode, ticks: number): boolean {
    const seen = this.seen.get(node.id);
    return this.nodes.every((other, i) => other === node || !other.isLeader || other.ticks - (seen?.[i] ?? 0) >= ticks);
  }

  note(node: SimulatedNode): void {
    this.seen.set(
      node.id,
      this.nodes.map(({ ticks }) => ticks),
    );
  }

  mayTick(node: SimulatedNode): boolean {
    return node.isLeader || this.leadersHad(node, LEADER_TICKS);
  }

  mayStart(node: SimulatedNode): boolean {
    return this.leadersHad(node, 2 * this.electionTick + 1);
  }

  isTooLate(sender: SimulatedNode | undefined, sentAt: number): boolean {
    return sender !== undefined && sender.ticks - sentAt > 1;
  }
}
