// Members that come and go, and who knows of it.
import { edit } from './edit.mjs';

/** @type {import('./edit.mjs').Mutation[]} */
export const membership = [
  {
    name: 'membership is kept in two places',
    why: 'After a restart raft has the voters of the last snapshot, the database those of later changes.',
    seeds: 200,
    edits: [
      edit(
        'bootstrap/start-point.js',
        'return start.index > 0 && !isChanged ? start.confState : storedConfState(backend, cluster);',
        'return start.index > 0 ? start.confState : storedConfState(backend, cluster);',
      ),
    ],
  },
  {
    name: 'change of members is judged again after a restart',
    why: 'What was refused would not be refused in a later membership, and this member gets other voters than the rest.',
    seeds: 50,
    edits: [edit('member/entry-machine.js', 'if (entry.index > this.deps.backend().consistentIndex) {', 'if (true) {')],
  },
  {
    name: 'snapshot carries the members of a later entry',
    why: 'The receiver applies the changes between once more.',
    seeds: 200,
    edits: [
      edit(
        'member/peer-door.js',
        'const moment = history.at(index);',
        'const moment = history.at(Number.POSITIVE_INFINITY);',
      ),
    ],
  },
  {
    name: 'message to a former member is taken',
    why: 'A machine that has become another member hears what was sent to the one before, of a log that it does not have.',
    seeds: 150,
    edits: [edit('peer/peer-source.js', 'return message.to !== memberId;', 'return false;')],
  },
  {
    name: 'added member is not dialled',
    why: 'Nobody sends anything to the new member.',
    seeds: 50,
    edits: [
      edit(
        'member/known-members.js',
        "if (outcome.kind !== 'removed') {",
        "if (outcome.kind !== 'removed' && false) {",
      ),
    ],
  },
  {
    name: 'removed member is not told that it is',
    why: 'Who was down when it was removed goes on for ever with what it knew: it stands for election, and answers from the past.',
    seeds: 150,
    edits: [
      edit(
        'membership/cluster.js',
        'isRemoved(id) {\n        return this.removed.has(id);',
        'isRemoved(id) {\n        return false;',
      ),
    ],
  },
];
