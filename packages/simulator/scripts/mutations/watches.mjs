// Watches: every event once, in order, and never a notice that promises too much.
import { edit } from './edit.mjs';

/** @type {import('./edit.mjs').Mutation[]} */
export const watches = [
  {
    name: 'progress notice overtakes events',
    why: 'A client that goes on from the notice never hears of events that were still to come.',
    seeds: 20,
    edits: [
      edit(
        'watch/watch-stream.js',
        'if (this.watchers.size === 0 || this.syncedCount !== this.watchers.size)',
        'if (this.watchers.size === 0)',
      ),
    ],
  },
  {
    name: 'watch from the present loses its revision',
    why: 'A watch that begins at the newest revision is taken for one that waits for the next.',
    seeds: 50,
    edits: [
      edit(
        'watch/watch-hub.js',
        'this.watcherGauge.set(this.watcherCount);\n        if (watcher.nextRevision > this.currentHistory.currentRevision) {',
        'this.watcherGauge.set(this.watcherCount);\n        if (watcher.nextRevision >= this.currentHistory.currentRevision) {',
      ),
    ],
  },
  {
    name: 'watch of a future revision hears old events',
    why: 'It is among those that are up to date, and gets what comes, from before its start.',
    seeds: 20,
    edits: [edit('watch/watch-hub.js', 'if (watcher.nextRevision > revision)\n                continue;', '')],
  },
  {
    name: 'progress notice of a watch in the future',
    why: 'The notice is of a revision before the start of the watch.',
    seeds: 20,
    edits: [edit('watch/watch-stream.js', 'if (watcher.startRevision > current)', 'if (false)')],
  },
  {
    name: 'previous value of a watch is that of its event',
    why: 'It is read at the revision of the event instead of the one before.',
    seeds: 20,
    edits: [
      edit(
        'watch/event-batch.js',
        '(revisions?.[i] ?? this.headerRevision) - 1)',
        '(revisions?.[i] ?? this.headerRevision))',
      ),
    ],
  },
  {
    name: 'slow watch loses an event',
    why: 'When its stream is full a watch falls behind, and goes on one revision too late.',
    seeds: 20,
    edits: [
      edit(
        'watch/watch-hub.js',
        'this.becomeBlocked(watcher, revision);',
        'this.becomeBlocked(watcher, revision + 1);',
      ),
    ],
  },
  {
    name: 'compacted watch goes on',
    why: 'A watch that is behind a compaction hears what is left of the history as if it were all.',
    seeds: 50,
    edits: [
      edit('watch/watch-hub.js', 'if (watcher.nextRevision < this.currentHistory.compactRevision)', 'if (false)'),
    ],
  },
  {
    name: 'watch goes back after a snapshot',
    why: 'A watch that was up to date hears again what it has heard before the snapshot.',
    seeds: 50,
    edits: [
      edit('watch/watch-hub.js', 'Math.max(watcher.nextRevision, told + 1);', 'Math.min(watcher.nextRevision, told);'),
    ],
  },
  {
    name: 'watch leaves out what a snapshot brought',
    why: 'A watch that was up to date goes on behind the snapshot, without the events that came with it.',
    seeds: 50,
    edits: [
      edit(
        'watch/watch-hub.js',
        'if (watcher.nextRevision > history.currentRevision)\n                continue;',
        'watcher.nextRevision = Math.max(watcher.nextRevision, history.currentRevision + 1);\n            if (true)\n                continue;',
      ),
    ],
  },
  {
    name: 'watch does not hear of a compaction in a snapshot',
    why: 'What it missed is compacted in the new history, of which it is told the rest.',
    seeds: 100,
    edits: [edit('watch/watch-hub.js', 'this.compacted(history.compactRevision);', '')],
  },
  {
    name: 'watches stay on the store before a snapshot',
    why: 'They read the history of a database that nothing is written to any more.',
    seeds: 20,
    edits: [edit('member/member.js', 'hub.restore(next.store);', '')],
  },
];
