// Classic mistakes in Raft, each as a change of the built library. The tests must catch every one: see mutations.mjs.
//
// `edits` replace text of a file in dist/, which must be there exactly once: when it is not, the library has changed, and the
// entry is to be changed with it. `clustersMayMiss` says why an ordinary run of the random clusters need not catch it.

/** @typedef {{ file: string, from: string, to: string }} Edit */
/** @typedef {{ name: string, why: string, edits: Edit[], clustersMayMiss?: string }} Mutation */

/** @returns {Edit} */
const edit = (file, from, to) => ({ file, from, to });

/** The text with the edit made; undefined when what it replaces is not there exactly once. */
export function edited(text, { from, to }) {
  const parts = text.split(from);
  return parts.length === 2 ? parts.join(to) : undefined;
}

/** Votes and terms. */
const elections = [
  {
    name: 'vote before it is durable',
    why: 'A node that answers first and then crashes may vote for another in the same term.',
    edits: [
      edit(
        'core/raft.js',
        'type === MessageType.MsgVoteResp || type === MessageType.MsgPreVoteResp) {',
        '(type === MessageType.MsgVoteResp && message.to === this.id) || type === MessageType.MsgPreVoteResp) {',
      ),
    ],
  },
  {
    name: 'own vote before it is durable',
    why: 'A candidate that crashes after it counted itself may vote for another in the term it led.',
    edits: [edit('core/election.js', 'raft.send(own);', 'own.from = id;\n            handleVoteResponse(raft, own);')],
  },
  {
    name: 'two votes in a term',
    why: 'Two candidates could both get a majority.',
    edits: [edit('core/election.js', '(raft.vote === NONE && raft.lead === NONE) ||', 'raft.lead === NONE ||')],
  },
  {
    name: 'vote reset within a term',
    why: 'Whoever steps down forgets whom it voted for, and votes again in the same term.',
    edits: [edit('core/raft.js', 'if (this.term !== term) {', '{')],
  },
  {
    name: 'vote for a log that is behind',
    why: 'A leader that lacks committed entries overwrites them.',
    edits: [edit('core/election.js', 'canVote && raft.log.isUpToDate(message.logTerm, message.index)', 'canVote')],
  },
  {
    name: 'logs compared by length',
    why: 'A longer log of an older term may lack what was committed since (section 5.4.1).',
    edits: [
      edit(
        'log/raft-log.js',
        'return term > last.term || (term === last.term && index >= last.index);',
        'return index >= last.index;',
      ),
    ],
  },
  {
    name: 'half of the votes is enough',
    why: 'With an even number of voters two halves elect two leaders.',
    edits: [
      edit('quorum/majority.js', 'const needed = (voters.size >> 1) + 1;', 'const needed = (voters.size + 1) >> 1;'),
    ],
  },
  {
    name: 'higher term ignored',
    why: 'A leader that was replaced goes on as one.',
    edits: [
      edit(
        'core/step.js',
        'raft.becomeFollower(message.term, fromLeader ? message.from : NONE);',
        'if (fromLeader || type === MessageType.MsgVote)\n        raft.becomeFollower(message.term, fromLeader ? message.from : NONE);',
      ),
    ],
  },
  {
    name: 'lower term taken',
    why: 'Messages of leaders and voters of the past are taken for those of today.',
    edits: [edit('core/step.js', 'else if (message.term < raft.term && message.term !== 0) {', 'else if (false) {')],
  },
  {
    name: 'candidate keeps on against a leader',
    why: 'Who hears of the leader of its term has lost, and is to follow it.',
    edits: [edit('core/candidate.js', 'raft.becomeFollower(message.term, message.from);', '')],
  },
  {
    name: 'term alone is not stored',
    why: 'After a restart the node takes part in a term that it has left, and may vote in it again.',
    edits: [edit('raw-node.js', 'if (previous.term === raft.term && previous.vote', 'if (previous.vote')],
  },
  {
    name: 'vote without a sync',
    why: 'A power failure takes the vote back that was answered.',
    edits: [edit('raw-node.js', ' || raft.vote !== this.previousHardState.vote', '')],
  },
  {
    name: 'pre-vote raises the term',
    why: 'The node that asks disturbs the cluster, which is what the pre-vote is to prevent.',
    edits: [
      edit(
        'core/step.js',
        'if (type === MessageType.MsgPreVote || (type === MessageType.MsgPreVoteResp && !message.reject))',
        'if (type === MessageType.MsgPreVoteResp && !message.reject)',
      ),
    ],
  },
  {
    name: 'late pre-votes count',
    why: 'Grants for the campaign before let a node campaign that nobody would elect.',
    edits: [edit('core/candidate.js', '(message.reject || message.term === raft.term + 1)', 'true')],
  },
  {
    name: 'transfer to a node that is behind',
    why: 'It cannot win, but disturbs the leader; or wins, and what was proposed last is lost.',
    edits: [edit('core/transfer.js', 'if (to.match === raft.log.lastIndex()) {', 'if (true) {')],
  },
];

/** The log and what is committed. */
const replication = [
  {
    name: 'acknowledgement before it is durable',
    why: 'The leader counts entries that a crash takes back.',
    edits: [
      edit(
        'core/raft.js',
        'if (type === MessageType.MsgAppResp || type',
        'if ((type === MessageType.MsgAppResp && message.to === this.id) || type',
      ),
    ],
  },
  {
    name: 'own entries counted before they are durable',
    why: 'With a leader that crashes before its write one copy less is there than was counted.',
    edits: [
      edit(
        'core/propose.js',
        'raft.send(own);',
        'raft.tracker.progress.get(raft.id)?.maybeUpdate(lastIndex);\n    raft.send(own);',
      ),
    ],
  },
  {
    name: 'old term committed by counting',
    why: 'An entry of an older term may be on a majority and yet be overwritten (figure 8 of the paper).',
    edits: [
      edit(
        'log/raft-log.js',
        'if (index <= this.committed || !this.matchTerm(index, term))',
        'if (index <= this.committed)',
      ),
    ],
  },
  {
    name: 'half of the copies is enough',
    why: 'With an even number of voters the other half elects a leader without the entry.',
    edits: [edit('quorum/majority.js', 'scratch[count - ((count >> 1) + 1)]', 'scratch[count - ((count + 1) >> 1)]')],
  },
  {
    name: 'commit beyond the entries of the message',
    why: 'The follower commits entries behind them that may not be those of the leader.',
    clustersMayMiss: 'It takes a leader that believes a follower to hold less than it does: one run in two thousand.',
    edits: [
      edit(
        'log/raft-log.js',
        'this.commitTo(Math.min(committed, lastNew));',
        'this.commitTo(Math.min(committed, this.lastIndex()));',
      ),
    ],
  },
  {
    name: 'heartbeat commits beyond the match',
    why: 'The follower commits entries that the leader never compared.',
    edits: [edit('core/replication.js', 'Math.min(progress.match, raft.log.committed)', 'raft.log.committed')],
  },
  {
    name: 'conflicts stay',
    why: 'Entries of a leader that was replaced stay in the log in place of those of its successor.',
    edits: [
      edit(
        'log/raft-log.js',
        'if (this.matchTerm(index, term))\n                continue;',
        'if (this.matchTerm(index, term) || index <= this.lastIndex())\n                continue;',
      ),
    ],
  },
  {
    name: 'truncation without a conflict',
    why: 'A late message cuts off entries that were acknowledged after it was sent.',
    edits: [
      edit(
        'log/raft-log.js',
        'const conflict = this.findConflict(entries);',
        'const conflict = entries.find(({ index }) => index > this.committed)?.index ?? 0;',
      ),
    ],
  },
  {
    name: 'previous entry not compared',
    why: 'Entries are appended to a log that is not the leader’s up to there.',
    edits: [
      edit(
        'log/raft-log.js',
        'if (!this.matchTerm(previousIndex, previousTerm))',
        'if (previousIndex > this.lastIndex())',
      ),
    ],
  },
  {
    name: 'late append acknowledged unread',
    why: 'The answer promises entries that were not appended.',
    edits: [
      edit(
        'core/follower.js',
        'answer.index = log.committed;',
        'answer.index = message.index + message.entries.length;',
      ),
    ],
  },
  {
    name: 'applied before it is committed',
    why: 'What is applied may still be overwritten.',
    edits: [
      edit(
        'log/raft-log.js',
        'return allowUnstable ? this.committed :',
        'this.committed = Math.max(this.committed, this.unstable.offset - 1);\n        return allowUnstable ? this.committed :',
      ),
    ],
  },
  {
    name: 'applied before it is stored',
    why: 'After a crash the state machine is ahead of the log.',
    edits: [
      edit(
        'log/raft-log.js',
        'Math.min(this.committed, this.unstable.offset - 1)',
        'Math.min(this.committed, this.lastIndex())',
      ),
    ],
  },
  {
    name: 'applied twice after a restart',
    why: 'The application is handed what it has already applied.',
    edits: [edit('core/raft.js', 'if (settings.applied > 0)', 'if (false)')],
  },
  {
    name: 'late answer of the storage believed',
    why: 'The entry was overwritten and came again: it counts as stored while it is on its way a second time.',
    clustersMayMiss: 'It takes three leaders in turn during one write, the first and the third with the same entry.',
    edits: [
      edit(
        'core/step.js',
        'if (message.index !== 0) {',
        'if (message.index !== 0) {\n            raft.log.unstable.stableTo(message.index, message.logTerm);',
      ),
    ],
  },
  {
    name: 'snapshot behind the commit restored',
    why: 'Committed entries are dropped, and the commit index goes back.',
    edits: [edit('core/snapshot.js', 'if (index <= log.committed)', 'if (false)')],
  },
  {
    name: 'refused snapshot acknowledged',
    why: 'The answer promises a log that the node does not have.',
    edits: [
      edit('core/snapshot.js', 'answer.index = restored ? log.lastIndex() : log.committed;', 'answer.index = index;'),
    ],
  },
  {
    name: 'probe never resumed',
    why: 'A follower whose probe was lost hears of no entry any more.',
    edits: [
      edit(
        'core/leader-acks.js',
        'from.recentActive = true;\n    from.appendsPaused = false;',
        'from.recentActive = true;',
      ),
    ],
  },
  {
    name: 'failed snapshot never resumed',
    why: 'A follower whose snapshot was lost gets neither another nor entries.',
    edits: [
      edit(
        'core/leader-acks.js',
        'if (to.state !== ProgressState.Snapshot)',
        'if (failed || to.state !== ProgressState.Snapshot)',
      ),
    ],
  },
  {
    name: 'transfer never given up',
    why: 'When the target does not take over no proposal passes any more.',
    edits: [edit('core/raft.js', 'if (this.role === leader)\n                leader.transferee = NONE;', '')],
  },
];

/** Configurations and their quorums. */
const membership = [
  {
    name: 'commit with the new half only',
    why: 'The old voters may still elect a leader without the entry.',
    edits: [
      edit(
        'tracker/progress-tracker.js',
        'return Math.min(incoming, majorityCommittedIndex(this.outgoing, matchOf));',
        'return incoming;',
      ),
    ],
  },
  {
    name: 'commit with the old half only',
    why: 'The new voters may elect a leader without the entry as soon as the configuration is left.',
    edits: [
      edit(
        'tracker/progress-tracker.js',
        'return Math.min(incoming, majorityCommittedIndex(this.outgoing, matchOf));',
        'return this.outgoing.length === 0 ? incoming : majorityCommittedIndex(this.outgoing, matchOf);',
      ),
    ],
  },
  {
    name: 'election with the new half only',
    why: 'The old voters may elect another leader in the same term.',
    edits: [
      edit(
        'quorum/joint.js',
        'const outgoing = majorityVoteResult(voters.outgoing, votes);',
        'const outgoing = incoming;',
      ),
    ],
  },
  {
    name: 'learners count for commits',
    why: 'The copy of a learner does not keep an entry from being lost: voters elect without it.',
    edits: [
      edit(
        'tracker/progress-tracker.js',
        'majorityCommittedIndex(this.incoming, matchOf);',
        'majorityCommittedIndex([...this.incoming, ...this.ordered.filter((one) => one.isLearner)], matchOf);',
      ),
    ],
  },
  {
    name: 'learners count for elections',
    why: 'The votes of learners elect a leader that the voters did not.',
    edits: [
      edit(
        'tracker/progress-tracker.js',
        'result: jointVoteResult(this.config, (id)',
        'result: jointVoteResult({ ...this.config, incoming: new Set([...this.config.incoming, ...this.config.learners]) }, (id)',
      ),
    ],
  },
  {
    name: 'campaign with a change to apply',
    why: 'It counts the votes of a configuration that may be two changes back, and its quorum may miss that of today.',
    edits: [edit('core/election.js', 'if (hasUnappliedConfChange(raft)) {', 'if (false) {')],
  },
  {
    name: 'two changes pending',
    why: 'Quorums of configurations that do not follow each other need not overlap.',
    edits: [edit('core/propose.js', 'if (leader.pendingConfIndex > applied) {', 'if (false) {')],
  },
  {
    name: 'changes of earlier leaders forgotten',
    why: 'A new leader proposes a change while one that it found in its log is pending.',
    edits: [edit('core/raft.js', 'pendingConfIndex: this.log.lastIndex(),', 'pendingConfIndex: 0,')],
  },
  {
    name: 'several voters changed at once',
    why: 'Majorities of before and after need not overlap: a joint configuration has to be between them.',
    edits: [
      edit('conf-change.js', 'change.changes.length <= 1)', 'true)'),
      edit(
        'confchange/changer.js',
        'if (symmetricDifference(this.base.config.incoming, draft.config.incoming) > 1) {',
        'if (false) {',
      ),
    ],
  },
  {
    name: 'empty change into a joint configuration',
    why: 'It passes for the change that leaves one, and stops every node that applies it.',
    edits: [edit('core/propose.js', 'if (wantsLeaveJoint && !isLeaveJoint(change))', 'if (false)')],
  },
];

/** Linearizable reads. */
const reads = [
  {
    name: 'read without asking the quorum',
    why: 'A leader that was replaced without knowing it answers with old data.',
    edits: [edit('core/read-index.js', 'if (isAlone || hasLease) {', 'if (true) {')],
  },
  {
    name: 'read before the first commit of the term',
    why: 'A new leader does not know yet all that its predecessors committed.',
    edits: [
      edit(
        'core/read-index.js',
        'if (!hasCommittedInTerm(raft)) {\n        // Earlier',
        'if (false) {\n        // Earlier',
      ),
    ],
  },
  {
    name: 'late answer confirms a newer read',
    why: 'The heartbeat it answers was sent before the read came: another may lead since.',
    edits: [
      edit(
        'core/read-only-queue.js',
        'const token = Math.min(decodeToken(context), this.lastToken());',
        'const token = this.lastToken();',
      ),
    ],
  },
  {
    name: 'reads confirmed by one answer',
    why: 'One node is no quorum: the others may follow another leader.',
    edits: [
      edit(
        'core/read-only-queue.js',
        'const confirmed = jointCommittedIndex(voters, this.answeredBy);',
        'const confirmed = token;',
      ),
    ],
  },
  {
    name: 'reads confirmed with the new half only',
    why: 'The old voters may have elected another leader, which commits with both halves.',
    edits: [
      edit(
        'quorum/joint.js',
        'return Math.min(incoming, majorityCommittedIndex(voters.outgoing, acked));',
        'return incoming;',
      ),
    ],
  },
  {
    name: 'lease kept after a transfer',
    why: 'Followers vote for whom the leader told to campaign, though their lease has not ended.',
    edits: [edit('core/read-index.js', ' && !leader.isLeaseVoid', '')],
  },
  {
    name: 'vote within the lease',
    why: 'Another leader commits while the first one still answers reads by its lease.',
    edits: [edit('core/step.js', 'if (inLease && !isCampaignTransfer(message.context)) {', 'if (false) {')],
  },
  {
    name: 'lease without a quorum',
    why: 'A leader that nobody answers goes on to answer reads by its lease.',
    edits: [edit('core/check-quorum.js', 'if (!raft.tracker.isQuorumActive()) {', 'if (false) {')],
  },
  {
    name: 'leader forgotten within the lease',
    why: 'Who forgot the leader helps to elect another while the first one still relies on the lease.',
    edits: [
      edit('core/follower.js', 'if (raft.settings.readOnlyOption === ReadOnlyOption.LeaseBased) {', 'if (false) {'),
    ],
  },
];

/** @type {readonly Mutation[]} */
export const mutations = [...elections, ...replication, ...membership, ...reads];
