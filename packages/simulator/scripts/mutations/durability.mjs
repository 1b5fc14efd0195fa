// What must be on the disk before something is said, and what a crash leaves of it.
import { edit } from './edit.mjs';

/** @type {import('./edit.mjs').Mutation[]} */
export const durability = [
  {
    name: 'follower acknowledges before fsync',
    why: 'A follower that loses power forgets entries that the leader counted as stored there.',
    seeds: 50,
    edits: [edit('replica/replica.js', 'const sendsFirst = this.role.isLeader;', 'const sendsFirst = true;')],
  },
  {
    name: 'log is never synced',
    why: 'Acknowledged writes are in the cache of the operating system only: a power failure takes them back.',
    seeds: 20,
    edits: [edit('wal/segment-writer.js', 'if (!sync || this.options.unsafeNoSync)', 'if (true)')],
  },
  {
    name: 'term and vote are not synced',
    why: 'After a power failure the member votes for another candidate of the same term: two leaders.',
    seeds: 100,
    edits: [
      edit(
        'raft/dist/raw-node.js',
        'mustSync: entries.length > 0 || raft.term !== this.previousHardState.term || raft.vote !== this.previousHardState.vote,',
        'mustSync: entries.length > 0,',
      ),
      edit(
        'wal/wal.js',
        'return term !== state.term || vote !== state.vote || (commit >= snapshotIndex && state.commit < snapshotIndex);',
        'return commit >= snapshotIndex && state.commit < snapshotIndex;',
      ),
    ],
  },
  {
    name: 'failed fsync is tried again',
    why: 'After a failed fsync the kernel has dropped the pages: the second one succeeds, and the data is not there.',
    seeds: 50,
    edits: [
      edit(
        'wal/segment-writer.js',
        'await this.file.writeAndDatasync([records], position);',
        'await this.file.writeAndDatasync([records], position).catch(() => this.file.datasync());',
      ),
    ],
  },
  {
    name: 'entries are applied before they are durable',
    why: 'A crash leaves a database that is ahead of the log, and knows what the cluster may never commit.',
    seeds: 100,
    edits: [
      edit(
        'replica/replica.js',
        'const appliesAfter = (ready.committedEntries.at(-1)?.index ?? 0) >= firstNew;',
        'const appliesAfter = false;',
      ),
    ],
  },
  {
    name: 'index is stored without its data',
    why: 'The index of an entry is in one transaction, the rest of its writes in the next: a crash between loses them for good.',
    seeds: 100,
    edits: [
      edit(
        'apply/applier.js',
        'const result = this.putEntry.read(data) ? this.applyPutEntry() : this.applyOther(data, entry.index);\n            this.advance(entry.index, entry.term);',
        'this.advance(entry.index, entry.term);\n            const result = this.putEntry.read(data) ? this.applyPutEntry() : this.applyOther(data, entry.index);',
      ),
      edit('backend/bbolt-backend.js', 'this.clock.defer(() => this.start());', 'this.start();'),
    ],
  },
  {
    name: 'data is stored without its index',
    why: 'A transaction ends in the midst of an entry: after a crash the entry is applied once more, on its own effects.',
    seeds: 20,
    edits: [edit('backend/bbolt-backend.js', 'this.clock.defer(() => this.start());', 'this.start();')],
  },
  {
    name: 'entries that the database has are applied again',
    why: 'After a restart the log is read from the snapshot on, and what is in the database already is done twice.',
    seeds: 20,
    edits: [
      edit(
        'apply/applier.js',
        'if (entry.index > this.store.backend.consistentIndex && data.length > 0) {',
        'if (data.length > 0) {',
      ),
    ],
  },
  {
    name: 'half-written last record is refused',
    why: 'A power failure in a write of the log is no damage; a member that takes it for some never comes back.',
    seeds: 250,
    edits: [
      edit('wal/wal.js', "if (!hasCode(error, 'wal/unexpected-eof'))\n                throw error;", 'throw error;'),
    ],
  },
  {
    name: 'half-written last record is taken',
    why: 'A power failure leaves a part of a record and zeros for the rest: the member has an entry that nobody wrote.',
    seeds: 600,
    edits: [
      edit(
        'wal/record-reader.js',
        "if (crc !== view.crc) {\n            if (this.isTorn(start, end))\n                return this.failure('wal/unexpected-eof', 'unexpected EOF');",
        'if (crc !== view.crc && !this.isTorn(start, end)) {',
      ),
    ],
  },
  {
    name: 'new segment of the log without its directory entry',
    why: 'A power failure takes the whole segment, with all that was acknowledged in it.',
    seeds: 20,
    edits: [edit('wal/segment-writer.js', 'await this.disk.syncDirectory(directory);', '')],
  },
  {
    name: 'log that is opened is taken for durable',
    why: 'A killed process leaves entries in the memory of the system alone, and a power failure takes them. (Ours until the simulator found it.)',
    seeds: 1000,
    isOpen: true,
    edits: [
      edit(
        'wal/wal.js',
        'if (!options.unsafeNoSync)\n                await makeDurable(deps, options.directory, files);',
        '',
      ),
    ],
  },
  {
    name: 'database that is opened is taken for durable',
    why: 'The same of the database, whose log is let go then. (Ours until the simulator found it.)',
    seeds: 1000,
    isOpen: true,
    edits: [edit('dist/database.js', 'else if (!readOnly)\n                await file.datasync();', '')],
  },
  {
    name: 'root of the database before its pages',
    why: 'One sync for both lets the disk write the root first: it then points to pages of another time.',
    seeds: 150,
    edits: [edit('dist/write-pages.js', 'await file.datasync();', '')],
  },
  {
    name: 'commit of the database without a sync',
    why: 'A snapshot says that the log before it is not needed, and the database forgets it.',
    seeds: 50,
    edits: [edit('bbolt/dist/database.js', 'await file.datasync();\n        this.publish', 'this.publish')],
  },
  {
    name: 'replay after a crash in a defragmentation',
    why: 'What is committed before the file is copied has the index of the commit before: a crash then applies its entries again.',
    seeds: 250,
    edits: [
      edit(
        'backend/bbolt-backend.js',
        'const startMs = this.clock.nowMs();\n        await this.commit();',
        'const startMs = this.clock.nowMs();\n        this.isDefragmenting = true;\n        await this.commit();\n        this.isDefragmenting = false;',
      ),
      edit(
        'backend/bbolt-backend.js',
        'batch.consistentIndex = this.consistentIndex;',
        'batch.consistentIndex = this.isDefragmenting === true ? this.committedIndex : this.consistentIndex;',
      ),
    ],
  },
  {
    name: 'defragmentation loses the batch under way',
    why: 'What is committed to the old file while it is copied is not in the new one.',
    seeds: 50,
    edits: [
      edit(
        'backend/bbolt-backend.js',
        'while (this.frozen !== undefined)\n                await this.frozenCommitted();',
        '',
      ),
      edit(
        'backend/bbolt-backend.js',
        'const startMs = this.clock.nowMs();\n        await this.commit();',
        'const startMs = this.clock.nowMs();',
      ),
    ],
  },
  {
    name: 'two defragmentations at once',
    why: 'Each rewrites the file, and what is committed in between goes to the one that is thrown away.',
    seeds: 100,
    edits: [
      edit(
        'backend/bbolt-backend.js',
        'while (this.pause !== undefined) {\n            await this.pause;\n            await this.commit();\n        }',
        '',
      ),
    ],
  },
  {
    name: 'writes go on during a defragmentation',
    why: 'Commits between the copy and the exchange go to the file that is thrown away.',
    seeds: 50,
    edits: [edit('backend/bbolt-backend.js', 'this.pause = done.promise;', '')],
  },
];
