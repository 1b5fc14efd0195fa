import type { Answer } from '../grpc/connection.ts';
import type { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import type { PeerNetwork } from '../support/peer-network.ts';
import { waitUntil } from '../support/text.ts';
import { failureText } from './ledger.ts';

/** One way to break the network. */
export interface Cut {
  readonly name: string;
  readonly victim: 'leader' | 'follower';
  /** What of the victim is cut: both directions to all others, one of them, or its link to one other member. */
  readonly direction: 'both' | 'in' | 'out' | 'one link';
  /** Connections end at once, or stay open and carry nothing. */
  readonly reset: boolean;
  /** Everything takes this much longer each way. */
  readonly delayMs: number;
}

const plain = { reset: false, delayMs: 0 } as const;

/** The first are those of the quick form. */
export const cuts: readonly Cut[] = [
  { ...plain, name: 'the leader alone', victim: 'leader', direction: 'both' },
  { ...plain, name: 'the leader cannot send', victim: 'leader', direction: 'out' },
  { ...plain, name: 'the leader cannot receive', victim: 'leader', direction: 'in' },
  { ...plain, name: 'the leader alone, connections reset', victim: 'leader', direction: 'both', reset: true },
  { ...plain, name: 'the leader alone in a slow network', victim: 'leader', direction: 'both', delayMs: 25 },
  { ...plain, name: 'a follower alone', victim: 'follower', direction: 'both' },
  { ...plain, name: 'a follower cannot receive', victim: 'follower', direction: 'in' },
  { ...plain, name: 'a follower and the leader apart, both with the third', victim: 'follower', direction: 'one link' },
];
export const QUICK_CUTS = 3;

export function apply(cut: Cut, network: PeerNetwork, victim: ClusterMember, leader: ClusterMember): void {
  const { direction, reset } = cut;
  if (cut.delayMs > 0) network.delayAll(cut.delayMs);
  if (direction === 'one link') {
    network.cut(victim.name, leader.name, { reset });
    network.cut(leader.name, victim.name, { reset });
  } else {
    network.isolate(victim.name, direction, { reset });
  }
}

/** Whether followers hear nothing of the old leader, so that they elect after their own time-out alone. */
export function silencesLeader({ victim, direction }: Cut): boolean {
  return victim === 'leader' && (direction === 'both' || direction === 'out');
}

const LEADER_WAIT_MS = 20_000;
const LEADER_POLL_MS = 10;

/** Milliseconds until one of `among` leads that is not `old`. */
export async function timeToNewLeader(
  cluster: Cluster,
  among: readonly ClusterMember[],
  old: ClusterMember,
): Promise<number> {
  const began = Date.now();
  const elected = async (): Promise<boolean> => {
    const leader = await cluster.leader(among);
    return leader !== undefined && leader !== old;
  };
  await waitUntil(`a leader other than ${old.name}`, LEADER_WAIT_MS, elected, LEADER_POLL_MS);
  return Date.now() - began;
}

/** A write at a member that cannot have it committed. */
export interface DoomedWrite {
  readonly key: string;
  readonly answer: Answer;
  readonly tookMs: number;
}

// Longer than the member's own patience: five seconds and two election time-outs.
const DOOMED_TIMEOUT_MS = 10_000;
const DOOMED_WRITES = 8;
const DOOMED_EVERY_MS = 250;

/** What a member without a quorum may answer a write with. 3.4 has no code of its own for an expired wait. */
const DOOMED_ANSWERS = [
  /^UNAVAILABLE etcdserver: request timed out(, possibly due to (previous leader failure|connection lost))?$/,
  /^UNAVAILABLE etcdserver: leader changed$/,
  /^DEADLINE_EXCEEDED (etcdserver: )?context deadline exceeded$/,
  /^UNKNOWN context deadline exceeded$/,
];

export async function writeDoomed(member: ClusterMember, prefix: string): Promise<DoomedWrite[]> {
  const sending = Array.from({ length: DOOMED_WRITES }, async (_, index): Promise<DoomedWrite> => {
    await new Promise((resolve) => setTimeout(resolve, index * DOOMED_EVERY_MS));
    const key = `${prefix}/${index}`;
    const began = Date.now();
    const request = { key: Buffer.from(key), value: Buffer.from('doomed') };
    const answer = await member.call('KV.Put', request, DOOMED_TIMEOUT_MS);
    return { key, answer, tookMs: Date.now() - began };
  });
  return Promise.all(sending);
}

export function checkDoomedAnswers(writes: readonly DoomedWrite[]): string[] {
  return writes.flatMap(({ key, answer, tookMs }) => {
    if (answer.ok) return [`${key} was acknowledged`];
    const text = failureText(answer);
    return DOOMED_ANSWERS.some((pattern) => pattern.test(text)) ? [] : [`${key}: ${text} after ${tookMs} ms`];
  });
}
