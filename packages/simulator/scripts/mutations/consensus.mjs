// Agreement and reads: who may say what the cluster has decided.
import { edit } from './edit.mjs';

/** @type {import('./edit.mjs').Mutation[]} */
export const consensus = [
  {
    name: 'follower applies before commit',
    why: 'What a leader has sent to one member may be overwritten by the next leader.',
    seeds: 100,
    edits: [edit('log/raft-log.js', 'this.commitTo(Math.min(committed, lastNew));', 'this.commitTo(lastNew);')],
  },
  {
    name: 'heartbeat commits what does not match',
    why: 'The end of the log of a member that was cut off may be another one than the leader has.',
    seeds: 20,
    edits: [
      edit(
        'core/replication.js',
        'const commit = Math.min(progress.match, raft.log.committed);',
        'const commit = Math.min(Math.max(progress.match, progress.next - 1), raft.log.committed);',
      ),
    ],
  },
  {
    name: 'vote for a log that is behind',
    why: 'A leader that lacks committed entries overwrites them.',
    seeds: 100,
    edits: [edit('core/election.js', 'canVote && raft.log.isUpToDate(message.logTerm, message.index)', 'canVote')],
  },
  {
    name: 'read index without a quorum',
    why: 'A leader that was replaced and does not know answers reads from the past.',
    seeds: 250,
    edits: [edit('core/read-index.js', 'if (isAlone || hasLease) {', 'if (true) {')],
  },
  {
    name: 'read index before the first commit of a term',
    why: 'A new leader may not know yet what its predecessor has committed.',
    seeds: 700,
    edits: [
      edit(
        'core/read-index.js',
        'if (!hasCommittedInTerm(raft)) {\n        // Earlier',
        'if (false) {\n        // Earlier',
      ),
    ],
  },
  {
    name: 'read index id is used again',
    why: 'A late answer to the question before is taken for one to the present question, whose index is higher.',
    seeds: 150,
    edits: [
      edit(
        'replica/replica.js',
        'nextContext: () => deps.ids.take(),',
        'nextContext: () => (this.readContext ??= deps.ids.take()),',
      ),
    ],
  },
  {
    name: 'read is confirmed by an answer to an earlier question',
    why: 'Who led when the earlier question was asked need not lead any more.',
    seeds: 100,
    edits: [
      edit(
        'core/read-only-queue.js',
        'const token = Math.min(decodeToken(context), this.lastToken());',
        'const token = this.lastToken();',
      ),
    ],
  },
  {
    name: 'read does not wait until its index is applied',
    why: 'A follower that is behind knows that it is, and answers all the same.',
    seeds: 20,
    edits: [
      edit(
        'replica/pending-reads.js',
        'this.indexed = waiting.filter((batch) => batch.index > appliedIndex);',
        'this.indexed = [];',
      ),
      edit('replica/pending-reads.js', 'if (batch.index > appliedIndex)\n                continue;', ''),
      edit(
        'replica/pending-reads.js',
        'this.indexed.push(batch);\n        }',
        'this.indexed.push(batch);\n        }\n        this.applied(0);',
      ),
    ],
  },
  {
    name: 'request ids start over with each life',
    why: 'An entry of the life before is applied after the restart, and answers another request of this one.',
    seeds: 250,
    edits: [
      edit(
        'member/member-parts.js',
        'new RequestIds(storage.memberId, deps.clock.wallMs())',
        'new RequestIds(storage.memberId, 0)',
      ),
    ],
  },
  {
    name: 'request ids are the same on all members',
    why: 'An entry of another member answers a request that is not applied yet.',
    seeds: 20,
    edits: [
      edit('member/member-parts.js', 'new RequestIds(storage.memberId, deps.clock.wallMs())', 'new RequestIds(0n, 0)'),
    ],
  },
];
