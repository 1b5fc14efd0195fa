import { assert } from '../assert.ts';
import type { Membership } from '../confchange/changer.ts';
import { restoreMembership } from '../confchange/restore.ts';
import { type EntryInit, EntryType } from '../entry.ts';
import type { RaftError } from '../errors.ts';
import { fatal } from '../fatal.ts';
import { hex } from '../hex.ts';
import { RaftLog } from '../log/raft-log.ts';
import type { RaftLogger } from '../logger.ts';
import { type Message, type MessageDraft, MessageType, messageTypeName } from '../message.ts';
import { sortedIds } from '../quorum/joint.ts';
import { drawBelow } from '../random.ts';
import {
  type HardState,
  isEmptyHardState,
  NONE,
  type ReadState,
  type Snapshot,
  type SoftState,
  StateType,
} from '../state.ts';
import { type TraceDetails, type TraceEventName, traceMessageKind } from '../trace.ts';
import { describeConfiguration, equalConfState } from '../tracker/configuration.ts';
import { ProgressTracker } from '../tracker/progress-tracker.ts';
import { checkQuorum } from './check-quorum.ts';
import { type RaftConfig, resolveConfig, type Settings } from './config.ts';
import { hup } from './election.ts';
import { switchToMembership } from './membership.ts';
import { appendOwnEntries, propose } from './propose.ts';
import { ReadOnlyQueue } from './read-only-queue.ts';
import { broadcastHeartbeat } from './replication.ts';
import { candidate, follower, type LeaderRole, preCandidate, type Role } from './role.ts';
import { step } from './step.ts';

/**
 * The state of one node and the changes of its role. What it does with messages is in the files beside this one, as
 * functions over it. Users have `RawNode`.
 */
export class Raft {
  readonly id: bigint;
  readonly settings: Settings;
  readonly logger: RaftLogger;
  readonly log: RaftLog;
  readonly tracker: ProgressTracker;
  term = 0;
  vote = NONE;
  /** The leader of this term, if known. */
  lead = NONE;
  role: Role = follower;
  isLearner = false;
  /** While a snapshot is on its way to storage: the membership of what the application still applies before it. */
  superseded: Membership | undefined = undefined;
  /** Messages to send. */
  messages: Message[] = [];
  /** Messages that promise something to be durable: to send when it is. */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];
  /** Ticks since the last word of the leader, or as a leader since the last check of the quorum. */
  electionElapsed = 0;
  /** Ticks since the leader's last heartbeat. */
  heartbeatElapsed = 0;
  /** In [electionTick, 2 * electionTick), drawn again with each change of role or term. */
  randomizedElectionTimeout = 0;

  /** @throws {RaftError} raft/invalid-config */
  constructor(config: RaftConfig) {
    const settings = resolveConfig(config);
    this.settings = settings;
    this.id = settings.id;
    this.logger = settings.logger;
    this.log = new RaftLog(settings.storage, settings.logger, settings.maxCommittedSizePerReady);
    this.tracker = new ProgressTracker(settings.maxInflightMsgs, settings.maxInflightBytes);
    this.trace('InitState');
    const { hardState, confState } = settings.storage.initialState();
    this.restoreConfState(confState);
    if (!isEmptyHardState(hardState)) this.loadHardState(hardState);
    if (settings.applied > 0) this.log.appliedTo(settings.applied, 0);
    this.becomeFollower(this.term, NONE);
    this.logStart();
  }

  private logStart(): void {
    const { log } = this;
    const last = log.lastEntryId();
    const peers = sortedIds(this.voterIds()).map(hex).join(',');
    this.logger.info?.(
      `newRaft ${hex(this.id)} [peers: [${peers}], term: ${this.term}, commit: ${log.committed}, ` +
        `applied: ${log.applied}, lastindex: ${last.index}, lastterm: ${last.term}]`,
    );
  }

  voterIds(): Set<bigint> {
    return new Set([...this.tracker.config.incoming, ...this.tracker.config.outgoing]);
  }

  /** Puts a stored configuration in place of that in force. */
  restoreConfState(confState: Snapshot['metadata']['confState']): void {
    const membership = restoreMembership(confState, this.log.lastIndex(), () => this.tracker.newInflights());
    const restored = switchToMembership(this, membership);
    if (!equalConfState(confState, restored)) {
      fatal(this.logger, `ConfStates not equivalent: ${describeConfiguration(membership.config)}`);
    }
  }

  private loadHardState(state: HardState): void {
    const { log } = this;
    if (state.commit < log.committed || state.commit > log.lastIndex()) {
      fatal(
        this.logger,
        `${hex(this.id)} state.commit ${state.commit} is out of range [${log.committed}, ${log.lastIndex()}]`,
      );
    }
    log.committed = state.commit;
    this.term = state.term;
    this.vote = state.vote;
  }

  // Views.

  get state(): StateType {
    return this.role.state;
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  softState(): SoftState {
    return { leader: this.lead, state: this.role.state };
  }

  /** Whether it may become leader: a voter of its own configuration that is not in the middle of a snapshot. */
  isPromotable(): boolean {
    const own = this.tracker.find(this.id);
    return own !== undefined && !own.isLearner && !this.log.hasPendingSnapshot();
  }

  // Messages out.

  /** Puts a message on its way: completed, and behind the next append if it promises what is not durable yet. */
  send(message: MessageDraft): void {
    if (message.from === NONE) message.from = this.id;
    const { type } = message;
    switch (type) {
      case MessageType.MsgVote:
      case MessageType.MsgVoteResp:
      case MessageType.MsgPreVote:
      case MessageType.MsgPreVoteResp:
        // They carry the term of the campaign, which is not the own one in pre-elections.
        if (message.term === 0) fatal(this.logger, `term should be set when sending ${messageTypeName(type)}`);
        break;
      case MessageType.MsgProp:
      case MessageType.MsgReadIndex:
        // Forwarded to the leader: it is to take them whatever the term.
        this.checkWithoutTerm(message);
        break;
      default:
        this.checkWithoutTerm(message);
        message.term = this.term;
    }
    if (type === MessageType.MsgAppResp || type === MessageType.MsgVoteResp || type === MessageType.MsgPreVoteResp) {
      // An acknowledgement of entries or a vote: both must survive a crash of this node (section 3.8 of the thesis).
      this.messagesAfterAppend.push(message);
    } else {
      if (message.to === this.id) {
        fatal(this.logger, `message should not be self-addressed when sending ${messageTypeName(type)}`);
      }
      this.messages.push(message);
    }
    this.traceMessage('Send', message);
  }

  private checkWithoutTerm({ type, term }: MessageDraft): void {
    if (term === 0) return;
    fatal(this.logger, `term should not be set when sending ${messageTypeName(type)} (was ${term})`);
  }

  // Time.

  tick(): void {
    if (this.role.state === StateType.Leader) this.tickLeader(this.role);
    else this.tickElection();
  }

  private tickElection(): void {
    this.electionElapsed++;
    if (this.electionElapsed < this.randomizedElectionTimeout || !this.isPromotable()) return;
    this.electionElapsed = 0;
    hup(this, this.settings.preVote ? 'pre-election' : 'election');
  }

  private tickLeader(leader: LeaderRole): void {
    this.heartbeatElapsed++;
    this.electionElapsed++;
    if (this.electionElapsed >= this.settings.electionTick) {
      this.electionElapsed = 0;
      if (this.settings.checkQuorum) checkQuorum(this);
      // A transfer that took this long is given up, so that proposals pass again.
      if (this.role === leader) leader.transferee = NONE;
    }
    if (this.role !== leader || this.heartbeatElapsed < this.settings.heartbeatTick) return;
    this.heartbeatElapsed = 0;
    broadcastHeartbeat(this, leader);
  }

  // Changes of role. Nothing else sets `role`.

  private reset(term: number): void {
    if (this.term !== term) {
      this.term = term;
      this.vote = NONE;
    }
    this.lead = NONE;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.drawElectionTimeout();
    this.tracker.resetVotes();
    const lastIndex = this.log.lastIndex();
    for (const progress of this.tracker.ordered) {
      progress.restart(progress.id === this.id ? lastIndex : 0, lastIndex + 1);
    }
  }

  private drawElectionTimeout(): void {
    const { electionTick, random } = this.settings;
    this.randomizedElectionTimeout = electionTick + drawBelow(random, electionTick);
  }

  becomeFollower(term: number, lead: bigint): void {
    this.reset(term);
    this.role = follower;
    this.lead = lead;
    this.logger.info?.(`${hex(this.id)} became follower at term ${this.term}`);
    this.trace('BecomeFollower');
  }

  /** Neither term nor vote change: nothing happens to the others until it is known that the election can be won. */
  becomePreCandidate(): void {
    assert(this.role.state !== StateType.Leader, 'invalid transition [leader -> pre-candidate]');
    this.tracker.resetVotes();
    this.role = preCandidate;
    this.lead = NONE;
    this.logger.info?.(`${hex(this.id)} became pre-candidate at term ${this.term}`);
  }

  becomeCandidate(): void {
    assert(this.role.state !== StateType.Leader, 'invalid transition [leader -> candidate]');
    this.reset(this.term + 1);
    this.role = candidate;
    this.vote = this.id;
    this.logger.info?.(`${hex(this.id)} became candidate at term ${this.term}`);
    this.trace('BecomeCandidate');
  }

  becomeLeader(): void {
    assert(this.role.state !== StateType.Follower, 'invalid transition [follower -> leader]');
    this.reset(this.term);
    const leader: LeaderRole = {
      state: StateType.Leader,
      transferee: NONE,
      isLeaseVoid: false,
      // Scanning the log for a change that is not yet applied would be exact, but this is never too low.
      pendingConfIndex: this.log.lastIndex(),
      uncommittedBytes: 0,
      reads: new ReadOnlyQueue(),
      postponedReads: [],
    };
    this.role = leader;
    this.lead = this.id;
    const own = this.tracker.find(this.id);
    assert(own !== undefined, 'a leader is in its configuration');
    own.becomeReplicate();
    own.recentActive = true;
    this.trace('BecomeLeader');
    // The first entry of a term commits those of the terms before (section 5.4.2).
    const dropped = appendOwnEntries(this, leader, [{ type: EntryType.Normal }]);
    if (dropped !== undefined) fatal(this.logger, 'empty entry was dropped');
    this.logger.info?.(`${hex(this.id)} became leader at term ${this.term}`);
  }

  // Messages in.

  step(message: Message): RaftError | undefined {
    this.traceMessage('Receive', message);
    return step(this, message);
  }

  propose(entries: readonly EntryInit[]): RaftError | undefined {
    return propose(this, entries, this.id);
  }

  // What became durable or applied.

  /** Commits what a quorum of this term's leader now holds. */
  maybeCommit(): boolean {
    const advanced = this.log.maybeCommit(this.term, this.tracker.committed());
    this.trace('Commit');
    return advanced;
  }

  /** The entries up to `index` are applied, `bytes` of them as handed out. */
  appliedTo(index: number, bytes: number): void {
    const applied = Math.max(index, this.log.applied);
    this.log.appliedTo(applied, bytes);
    const { role } = this;
    const { config } = this.tracker;
    if (!config.autoLeave || role.state !== StateType.Leader || applied < role.pendingConfIndex) return;
    // The joint configuration is applied here, so it is time to leave it. Tried again with the next entries if it fails.
    const failed = this.propose([{ type: EntryType.ConfChangeV2 }]);
    if (failed === undefined) {
      this.logger.info?.(`initiating automatic transition out of joint configuration ${describeConfiguration(config)}`);
    } else {
      this.logger.debug?.(
        `not initiating automatic transition out of joint configuration ${describeConfiguration(config)}: ${failed.message}`,
      );
    }
  }

  /** A snapshot is stored and applied. */
  appliedSnapshot(snapshot: Snapshot): void {
    const { index } = snapshot.metadata;
    this.log.unstable.stableSnapshotTo(index);
    if (!this.log.hasPendingSnapshot()) this.superseded = undefined;
    this.appliedTo(index, 0);
  }

  /** Entries with so many bytes of payload are applied: as much may be proposed again. */
  reduceUncommitted(payload: number): void {
    const { role } = this;
    if (role.state !== StateType.Leader) return;
    // What was proposed in earlier terms was never counted here.
    role.uncommittedBytes = Math.max(0, role.uncommittedBytes - payload);
  }

  trace(name: TraceEventName, details?: TraceDetails): void {
    const { tracer } = this.settings;
    if (tracer === undefined) return;
    const { incoming, outgoing } = this.tracker.config;
    tracer({
      name,
      nodeId: this.id,
      state: this.role.state,
      hardState: this.hardState(),
      lastIndex: this.log.lastIndex(),
      voters: sortedIds(incoming),
      votersOutgoing: sortedIds(outgoing),
      ...details,
    });
  }

  private traceMessage(what: 'Send' | 'Receive', message: Message): void {
    if (this.settings.tracer === undefined) return;
    const kind = traceMessageKind(message.type);
    if (kind === undefined) return;
    const own = this.tracker.progress.get(message.from);
    const withProgress = what === 'Send' && message.type === MessageType.MsgApp && own !== undefined;
    this.trace(`${what}${kind}`, {
      message,
      ...(withProgress ? { progress: { match: own.match, next: own.next } } : {}),
    });
  }
}
