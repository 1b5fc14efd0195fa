import { type Message, MessageType } from '@quorate/raft';
import type { Machine } from './machine.ts';

/** Messages by which a member that does not know what it has forgotten could harm others. */
const harmful = new Set<MessageType>([
  MessageType.MsgPreVote,
  MessageType.MsgPreVoteResp,
  MessageType.MsgVote,
  MessageType.MsgVoteResp,
  MessageType.MsgSnap,
]);

/**
 * Machines that may hold other data than they were given, and do not know it: the database has no checksums but on two of its pages, and
 * a write that went elsewhere leaves a valid older one. Nobody can promise anything of such a member, as of a real one, so nothing that it
 * does by itself counts: it is apart from clients, it neither votes nor leads, and nobody gets its snapshots. What it does for the others
 * goes on: it takes entries and acknowledges them, and answers for its hashes. All of the others must stay right, until it is replaced.
 */
export class Doubts {
  private readonly machines = new Set<Machine>();
  /** Of all that were ever in doubt: these an alarm may name. */
  readonly memberIds = new Set<bigint>();
  private endedMs = Number.NEGATIVE_INFINITY;

  begin(machine: Machine): void {
    this.machines.add(machine);
    const id = machine.member?.memberId;
    if (id !== undefined) this.memberIds.add(id);
  }

  /** It has forgotten everything. */
  end(machine: Machine): void {
    if (this.machines.delete(machine)) this.endedMs = machine.scheduler.nowMs;
  }

  has(machine: Machine): boolean {
    return this.machines.has(machine);
  }

  /** Whether nothing passes between two of the network: a machine in doubt that is up, and whoever is no machine. */
  separates(from: string, to: string, machines: readonly Machine[]): boolean {
    if (this.machines.size === 0) return false;
    const isDoubtful = (name: string) => [...this.machines].some((machine) => machine.name === name && machine.isAlive);
    const isMachine = (name: string) => machines.some((machine) => machine.name === name);
    return (isDoubtful(from) && !isMachine(to)) || (isDoubtful(to) && !isMachine(from));
  }

  /** Whether what a member sends is sent. */
  passes(machine: Machine, { type }: Message): boolean {
    return !(this.machines.has(machine) && harmful.has(type));
  }

  /** Whether a member that compared its data with that of a machine in doubt, in this life of its own, could find a difference. */
  reaches(machine: Machine): boolean {
    return this.machines.size > 0 || machine.upSinceMs <= this.endedMs;
  }
}
