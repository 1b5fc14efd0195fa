// Members that come and go, and who knows of it.
import { edit } from './edit.mjs';

/** @type {import('./edit.mjs').Mutation[]} */
export const membership = [
  {
    name: 'membership is kept in two places',
    why: 'After a restart raft has the voters of the last snapshot, the database those of later changes.',
    seeds: 50,
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
    why: 'From a later membership it comes out differently, and this member has other voters than the rest.',
    seeds: 200,
    isOpen: true,
    edits: [edit('member/entry-machine.js', 'if (entry.index > this.deps.backend().consistentIndex) {', 'if (true) {')],
  },
  {
    name: 'snapshot carries the members of a later entry',
    why: 'The receiver applies the changes between once more.',
    seeds: 200,
    isOpen: true,
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
    name: 'members of a snapshot are not dialled',
    why: 'Who was added while this member was away stays an unknown peer id, whom it never answers.',
    seeds: 200,
    isOpen: true,
    edits: [
      edit('member/known-members.js', 'network().removePeer(id);\n        this.dial();', 'network().removePeer(id);'),
    ],
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
    name: 'removed id may come back',
    why: 'A member that was removed and kept its data votes again, with what it has forgotten since.',
    seeds: 200,
    isOpen: true,
    edits: [
      edit('membership/cluster.js', "if (this.removed.has(nodeId))\n            return 'membership/id-removed';", ''),
      edit(
        'membership/cluster.js',
        'isRemoved(id) {\n        return this.removed.has(id);',
        'isRemoved(id) {\n        return false;',
      ),
    ],
  },
];
