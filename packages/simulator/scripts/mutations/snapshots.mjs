// Snapshots: of the member itself, and those that a leader sends.
import { edit } from './edit.mjs';

/** @type {import('./edit.mjs').Mutation[]} */
export const snapshots = [
  {
    name: 'snapshot is recorded before the database has it',
    why: 'The log before it is let go, and a crash leaves a database that needs it.',
    seeds: 20,
    edits: [edit('member/snapshotter.js', 'await backend().commit();', '')],
  },
  {
    name: 'received database is not synced',
    why: 'A power failure tears the database that a snapshot is made of.',
    seeds: 600,
    edits: [
      edit(
        'snap/snapshot-store.js',
        'const syncMs = clock.nowMs();\n            await file.sync();',
        'const syncMs = clock.nowMs();',
      ),
    ],
  },
  {
    name: 'configuration of a snapshot is forgotten',
    why: 'After a restart the member knows of no voters, and waits for ever.',
    seeds: 20,
    edits: [
      edit(
        'bootstrap/open-storage.js',
        'storage.applySnapshot({ data: emptyBytes, metadata: { index, term, confState } });',
        'storage.applySnapshot({ data: emptyBytes, metadata: { index, term, confState: emptyConfState } });',
      ),
    ],
  },
  {
    name: 'entries are applied while a snapshot is put in place',
    why: 'They go to the state that is about to be exchanged, and are missing in the new one.',
    seeds: 50,
    edits: [
      edit(
        'replica/snapshot-installer.js',
        'if (this.current === undefined)\n            this.deps.applyEntries',
        'if (true)\n            this.deps.applyEntries',
      ),
    ],
  },
  {
    name: 'leases stay those before a snapshot',
    why: 'The member knows leases that ended, and none that began, while it was away.',
    seeds: 20,
    edits: [edit('member/member-state.js', 'this.lessor.restore(backend);', '')],
  },
  {
    name: 'database of a snapshot is named by another index',
    why: 'Entries between the two are applied twice, or never.',
    seeds: 20,
    edits: [
      edit(
        'member/peer-door.js',
        'const index = image.consistentIndex;',
        'const index = Math.max(snapshotter.index, raftStorage.firstIndex());',
      ),
      edit('member/peer-door.js', 'if (consistentIndex !== index) {', 'if (false) {'),
    ],
  },
  {
    name: 'snapshot is put in place during a defragmentation',
    why: 'The defragmentation gives the name of the database back to what was there before the snapshot.',
    seeds: 2000,
    edits: [edit('member/member.js', 'await state.backend.retire();', '')],
  },
  {
    name: 'log in memory is cut behind what raft knows to be applied',
    why: 'Raft looks through what follows when it stands for election, and finds it gone. (Ours until the simulator found it.)',
    seeds: 400,
    isOpen: true,
    edits: [
      edit(
        'member/snapshotter.js',
        'const keepFrom = Math.min(index - catchUp, this.deps.raftApplied());',
        'const keepFrom = index - catchUp;',
      ),
    ],
  },
  {
    name: 'compaction that was interrupted is hashed',
    why: 'A snapshot or a crash in its midst: what it has deleted already is missing in its hash, and a sound member counts as corrupt.',
    seeds: 250,
    edits: [
      edit('mvcc/store.js', 'this.compactor.schedule(scheduled);', 'this.compactor.schedule(scheduled, compacted);'),
    ],
  },
  {
    name: 'saved snapshot is of the last commit',
    why: 'What was acknowledged before an administrator asked for a backup is not in it.',
    seeds: 60,
    edits: [edit('backend/bbolt-backend.js', 'async snapshot() {\n        await this.commit();', 'async snapshot() {')],
  },
  {
    name: 'pages of a saved snapshot are used again',
    why: 'Its reader takes its time, and the database goes on: what comes late is of another time.',
    seeds: 200,
    edits: [
      edit(
        'backend/bbolt-backend.js',
        'new CommittedReader(image.transaction);\n        let isClosed',
        'new CommittedReader(image.transaction);\n        image.transaction.close();\n        let isClosed',
      ),
    ],
  },
  {
    name: 'restored member votes as the backup says',
    why: 'A database that was restored has the members of the old cluster in its configuration; raft waits for them for ever.',
    seeds: 40,
    edits: [
      edit(
        'bootstrap/start-point.js',
        'return start.index > 0 && !isChanged ? start.confState : stored',
        'return stored',
      ),
      edit(
        'bootstrap/start-point.js',
        'if (ids.length === members.length && ids.every',
        'if (ids.length > 0 || ids.every',
      ),
    ],
  },
  {
    name: 'compaction that a restored database asks for is passed over',
    why: 'Who watched the cluster before is told of revisions that the restored one never had, instead of being told to start over.',
    seeds: 40,
    edits: [
      edit(
        'mvcc/restore.js',
        'readMark(store, MetaKey.scheduledCompactRevision) ?? 0;',
        'Math.min(compacted, readMark(store, MetaKey.scheduledCompactRevision) ?? 0);',
      ),
    ],
  },
];
