import { assert } from '../../assert.ts';
import type { Raft } from '../../core/raft.ts';
import { type Message, MessageType } from '../../message.ts';
import { StateType } from '../../state.ts';
import { broken } from './broken.ts';
import { checkObedience, ElectionInvariants } from './election-invariants.ts';
import { LogInvariants } from './log-invariants.ts';
import { MembershipInvariants } from './membership-invariants.ts';
import { type Halves, isQuorum } from './quorums.ts';
import { isUpToDate } from './simulated-disk.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** What was seen of a node after its last step. */
interface Seen {
  term: number;
  vote: bigint;
  committed: number;
  state: StateType;
  /** Messages that raft has made and not yet handed out. */
  messages: readonly Message[];
  messageCount: number;
  /** What it promised last: to hold the log of that term's leader up to that index. */
  ackedTerm: number;
  ackedIndex: number;
  /** In that term a leader told it to campaign. */
  toldToCampaignIn: number;
}

function halvesOf(raft: Raft): Halves {
  const { incoming, outgoing } = raft.tracker.config;
  return { voters: [...incoming], votersOutgoing: [...outgoing] };
}

/**
 * All that must always hold, checked over all nodes as things happen. A broken one throws; its text begins with the name
 * of the property and a colon.
 */
export class Invariants {
  readonly log: LogInvariants;
  readonly elections = new ElectionInvariants();
  readonly membership = new MembershipInvariants();
  private readonly nodes = new Map<bigint, SimulatedNode>();
  private readonly seen = new Map<bigint, Seen>();

  constructor(first: { readonly index: number; readonly term: number }) {
    this.log = new LogInvariants(first);
  }

  /** A node begins a life. */
  started(node: SimulatedNode): void {
    this.nodes.set(node.id, node);
    const { raft } = node;
    if (raft === undefined) return;
    this.seen.set(node.id, {
      term: raft.term,
      vote: raft.vote,
      committed: node.disk.firstIndex() - 1,
      state: raft.role.state,
      messages: raft.messages,
      messageCount: 0,
      ackedTerm: 0,
      ackedIndex: 0,
      toldToCampaignIn: 0,
    });
    this.log.checkWholeLog(raft);
    this.acted(node);
  }

  /** After each step of a node. @param message what it took in, if that was the step */
  acted(node: SimulatedNode, message?: Message): void {
    const { raft, disk } = node;
    const seen = this.seen.get(node.id);
    if (raft === undefined || seen === undefined) return;
    if (message?.type === MessageType.MsgTimeoutNow) seen.toldToCampaignIn = Math.max(seen.term, message.term);
    this.elections.checkTerm(node.id, raft, seen.term, seen.vote);
    this.log.checkIndexes(raft, disk, seen.committed);
    if (raft.log.committed > seen.committed && this.log.commitMoved(raft, seen.committed)) this.firstToCommit(raft);
    if (raft.term === seen.ackedTerm && raft.log.lastIndex() < seen.ackedIndex) {
      broken(`acknowledged entries lost: ${node.id} had ${seen.ackedIndex}`);
    }
    if (raft.role.state !== seen.state || raft.term !== seen.term) this.changedRole(node, raft, seen);
    this.checkMade(raft, seen);
    seen.term = raft.term;
    seen.vote = raft.vote;
    seen.committed = raft.log.committed;
    seen.state = raft.role.state;
  }

  /** After {@link acted}, when a message was not refused. */
  received(node: SimulatedNode, message: Message, termBefore: number, voteBefore: bigint): void {
    if (node.raft !== undefined) checkObedience(node.raft, message, termBefore, voteBefore);
  }

  private changedRole(node: SimulatedNode, raft: Raft, seen: Seen): void {
    const { state } = raft.role;
    const config = halvesOf(raft);
    const begins = state === StateType.Candidate && raft.term > seen.term;
    if (begins && raft.settings.preVote && seen.toldToCampaignIn !== raft.term - 1) {
      this.elections.checkPreElection(raft, config);
    }
    if (!this.elections.checkLeader(raft, config, node.disk.hard)) return;
    this.log.checkLeaderCompleteness(raft);
    // Quorums of configurations that follow each other overlap, those of others need not.
    const missed = this.log.committedChanges.filter((index) => index > node.disk.applied);
    assert(missed.length <= 1, `stale configuration: leader ${raft.id} has not applied ${missed.join(' and ')}`);
  }

  /**
   * A new commit, seen first where it was made: only by a leader, of an entry on the disks of a quorum, and so that nobody
   * who lacks it could win an election from here on, even if all went down and came back now.
   */
  private firstToCommit(raft: Raft): void {
    const { log, id } = raft;
    const index = log.committed;
    const term = log.term(index);
    const config = halvesOf(raft);
    assert(raft.role.state === StateType.Leader, `commit by follower: ${id} commits ${term}/${index} first`);
    const disk = (node: bigint) => this.nodes.get(node)?.disk;
    const holds = (node: bigint) => disk(node)?.holds(index, term) === true;
    assert(isQuorum(config, holds), `commit without quorum: ${id} commits ${term}/${index}`);
    for (const candidate of [...config.voters, ...config.votersOutgoing]) {
      if (holds(candidate)) continue;
      const last = disk(candidate)?.lastEntryId();
      if (last === undefined) continue;
      const wouldVote = (node: bigint) => {
        const own = disk(node)?.lastEntryId();
        return own === undefined || isUpToDate(last, own);
      };
      assert(!isQuorum(config, wouldVote), `commit may be lost: ${candidate} could lead without ${term}/${index}`);
    }
  }

  /** Looks at the messages that raft made in this step. */
  private checkMade(raft: Raft, seen: Seen): void {
    const { messages } = raft;
    for (let i = messages === seen.messages ? seen.messageCount : 0; i < messages.length; i++) {
      const message = messages[i] as Message;
      if (message.type === MessageType.MsgTimeoutNow) this.checkTransfer(raft, message.to);
    }
    seen.messages = messages;
    seen.messageCount = messages.length;
  }

  /** Who is told to campaign has all that the leader has. */
  private checkTransfer(raft: Raft, to: bigint): void {
    const disk = this.nodes.get(to)?.disk;
    if (disk === undefined || disk.hard.term > raft.term) return;
    const { index, term } = raft.log.lastEntryId();
    assert(disk.holds(index, term), `transfer: ${to} is told to campaign, but lacks ${term}/${index}`);
  }

  /** A message leaves a node: what it promises must be on its disk. */
  leaving(node: SimulatedNode, message: Message): void {
    const { disk } = node;
    if (message.reject) return;
    if (message.type === MessageType.MsgVoteResp) this.elections.voteLeaves(message, disk.hard);
    else if (message.type === MessageType.MsgPreVoteResp) this.elections.preVoteLeaves(message);
    else if (message.type === MessageType.MsgAppResp) this.acknowledges(node, message);
  }

  private acknowledges({ id, disk, raft }: SimulatedNode, { term, index }: Message): void {
    if (disk.hard.term < term) broken(`acknowledged but not durable: ${id} has not stored term ${term}`);
    if (disk.hard.term > term) return;
    if (disk.lastIndex() < index) broken(`acknowledged but not durable: ${id} has not stored ${index}`);
    const seen = this.seen.get(id);
    if (seen === undefined || raft?.term !== term) return;
    if (seen.ackedTerm === term && seen.ackedIndex >= index) return;
    seen.ackedTerm = term;
    seen.ackedIndex = index;
    if (raft.log.lastIndex() < index) broken(`acknowledged entries lost: ${id} had ${index}`);
  }
}
