// Keys and their history: puts, transactions, compaction.
import { edit } from './edit.mjs';

/** @type {import('./edit.mjs').Mutation[]} */
export const store = [
  {
    name: 'previous value is taken after the put',
    why: 'The answer shows what was written, not what was there before.',
    seeds: 20,
    edits: [
      edit('mvcc/store.js', 'return call.prevKv ? prevKv : undefined;', 'return call.prevKv ? record : undefined;'),
    ],
  },
  {
    name: 'inner comparison sees writes of the transaction',
    why: 'All comparisons are about the state before the transaction, also those of transactions inside it.',
    seeds: 20,
    edits: [
      edit(
        'mvcc/txn.js',
        'const succeeded = path[at.next++];\n    const responses',
        'const succeeded = request.compare.every((compare) => holds(store, compare));\n    at.next++;\n    const responses',
      ),
    ],
  },
  {
    name: 'failing transaction writes a part',
    why: 'A range at a compacted or future revision fails it when earlier operations are done already.',
    seeds: 20,
    edits: [
      edit('mvcc/txn.js', 'const error = precheck(store, request, path, { next: 0 });', 'const error = undefined;'),
      edit(
        'mvcc/txn.js',
        'if (requestRange !== undefined) {\n        if (!wantsResponses)\n            return undefined;',
        'if (requestRange !== undefined) {',
      ),
      edit('mvcc/txn.js', 'throw new Error(`range in a', 'throw result;\n        new Error(`range in a'),
      edit(
        'mvcc/txn.js',
        'const result = execute(store, request, path, { next: 0 }, wantsResponses);\n    store.end();',
        `let result;
    try {
        result = execute(store, request, path, { next: 0 }, wantsResponses);
    }
    catch (symbol) {
        if (typeof symbol !== 'string')
            throw symbol;
        result = symbol;
    }
    store.end();
    if (typeof result === 'string')
        return result;`,
      ),
    ],
  },
  {
    name: 'ranges in transactions differ between members',
    why: 'A member that nobody waits at skips ranges, and with them the failure that undoes the transaction elsewhere.',
    seeds: 20,
    edits: [
      edit(
        'mvcc/txn.js',
        'const error = precheck(store, request, path, { next: 0 });',
        'const error = wantsResponses ? precheck(store, request, path, { next: 0 }) : undefined;',
      ),
    ],
  },
  {
    name: 'compaction is forgotten by a crash',
    why: 'A member that comes back answers at revisions of which it has only a part.',
    seeds: 50,
    edits: [
      edit(
        'mvcc/store.js',
        'this.backend.put(BucketId.meta, key, encodeRevisionKey(revision, 0, false));',
        'void key;',
      ),
    ],
  },
  {
    name: 'compaction at a delete takes it away',
    why: 'A watch from the compacted revision on never hears that the key is gone.',
    seeds: 250,
    edits: [
      edit('key-index/key-index.js', 'if (main < atMain && !isLive) {', 'if (main <= atMain && !isLive) {'),
      edit(
        'key-index/revision-history.js',
        'if (this.foundTombstone ? this.foundMain === atMain : keepNewest)',
        'if (!this.foundTombstone && keepNewest)',
      ),
    ],
  },
  {
    name: 'revision falls after a compaction and a crash',
    why: 'Compaction at the newest revision takes its delete, and the restart counts from the last key that is left.',
    seeds: 250,
    edits: [
      edit('key-index/key-index.js', 'if (main < atMain && !isLive) {', 'if (main <= atMain && !isLive) {'),
      edit(
        'mvcc/restore.js',
        'store.restored(Math.max(1, lastMain, compacted, scheduled), compacted, scheduled);',
        'store.restored(lastMain, compacted, scheduled);',
      ),
    ],
  },
  {
    name: 'compacted revisions are still read',
    why: 'What is left of a compacted revision looks like an answer.',
    seeds: 20,
    edits: [
      edit(
        'mvcc/store.js',
        "if (revision > 0 && revision < this.compactRevision)\n            return 'ErrGRPCCompacted';",
        '',
      ),
    ],
  },
  {
    name: 'key keeps the lease of an earlier put',
    why: 'The end of the earlier lease deletes what now has another one.',
    seeds: 20,
    edits: [edit('mvcc/store.js', 'if (from !== 0n)\n            leases.detach(from, key);', '')],
  },
];
