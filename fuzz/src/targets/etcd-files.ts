import { createHash } from 'node:crypto';
import { decodeSnapshotFile, type Snapshot } from '@quorate/storage';
import { rule, type Target } from '../engine/target.ts';
import { bboltTarget, soundPairs } from './bbolt.ts';
import { type FileAnswer, fileCheck, fileCheckMissing } from './file-check.ts';
import { snapTarget } from './snap.ts';
import { filesOf, walTarget } from './wal.ts';
import { readDumbly, segmentPattern, type TwinContent } from './wal-twin.ts';

/*
 * The same inputs read by etcd's own packages. The log is compared with the twin, which the target `wal` holds against our reader. Where
 * both read, they must read the same. What etcd refuses we refuse; we alone refuse groups of protobuf, numbers above 2^53, entry types that
 * do not exist, and a log whose second segment is missing.
 */

export const walEtcdTarget: Target = {
  ...walTarget,
  name: 'wal-etcd',
  testRuns: 300,
  missing: fileCheckMissing,
  async run(input) {
    const files = filesOf(input).filter(({ name }) => segmentPattern.test(name));
    const ours = readDumbly(files);
    const theirs = await fileCheck().ask(files, (folder) => `wal ${folder} 0 0`);
    const reads = (ours.error === undefined || ours.error === 'wal/unexpected-eof') && ours.hasSnapshot;
    if (theirs.error !== '') {
      rule(!reads, `read, etcd refuses it: ${theirs.error}`);
      return 'both refuse';
    }
    if (!reads) return `we alone refuse: ${ours.error ?? 'no snapshot'}`;
    sameLog(theirs, ours);
    return 'both read';
  },
};

function sameLog(theirs: FileAnswer, { entries, hardState }: TwinContent): void {
  const digest = createHash('sha256');
  for (const { term, index, type, data } of entries)
    digest.update(`${term} ${index} ${type} ${data.length}\n`).update(data);
  rule(theirs.entries === entries.length, `${entries.length} entries, etcd reads ${theirs.entries}`);
  rule(theirs.digest === digest.digest('hex'), 'other entries than etcd reads');
  const { term, vote, commit } = hardState;
  const isSame = theirs.term === term && theirs.vote === String(vote) && theirs.commit === commit;
  rule(isSame, 'another hard state than etcd reads');
}

export const snapEtcdTarget: Target = {
  ...snapTarget,
  name: 'snap-etcd',
  testRuns: 300,
  missing: fileCheckMissing,
  async run(input) {
    let ours: Snapshot | undefined;
    try {
      ours = decodeSnapshotFile(input);
    } catch {
      // Which error it is, the target `snap` looks at.
    }
    const file = { name: 'a.snap', bytes: input };
    const theirs = await fileCheck().ask([file], (folder) => `snap ${folder}/a.snap`);
    if (theirs.error !== '') {
      rule(ours === undefined, `read, etcd refuses it: ${theirs.error}`);
      return 'both refuse';
    }
    if (ours === undefined) return 'we alone refuse';
    const { index, term } = ours.metadata;
    rule(theirs.index === index && theirs.term === term, 'another index or term than etcd reads');
    rule(theirs.digest === createHash('sha256').update(ours.data).digest('hex'), 'other data than etcd reads');
    return 'both read';
  },
};

export const bboltEtcdTarget: Target = {
  ...bboltTarget,
  name: 'bbolt-etcd',
  testRuns: 300,
  missing: fileCheckMissing,
  async run(input) {
    // Of files that we find broken, bbolt need not find the end.
    const pairs = await soundPairs(input);
    if (pairs === undefined) return 'broken';
    const file = { name: 'db', bytes: input };
    const theirs = await fileCheck().ask([file], (folder) => `bbolt ${folder}/db`);
    // A commit that was torn in its meta page is made good by the next one. Only bbolt's check stumbles over it.
    if (/Page expected to be: [01],|page [01]: has unexpected/.test(theirs.error)) return 'torn meta page';
    rule(theirs.error === '', `sound for us, bbolt finds: ${theirs.error}`);
    rule(theirs.entries === pairs, `${pairs} pairs, bbolt finds ${theirs.entries}`);
    return 'sound';
  },
};
