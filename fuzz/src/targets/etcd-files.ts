import { createHash } from 'node:crypto';
import { decodeSnapshotFile, type Snapshot } from '@quorate/storage';
import { rule, type Target } from '../engine/target.ts';
import { type FileAnswer, fileCheck, fileCheckMissing } from './file-check.ts';
import { snapTarget } from './snap.ts';
import { filesOf, walTarget } from './wal.ts';
import { readDumbly, segmentPattern, type TwinContent } from './wal-twin.ts';

/*
 * The same inputs read by etcd's own packages. The log is compared with the twin, which the target `wal` holds against our reader. Where
 * both read, they must read the same; what only one refuses is counted in the outcome, and refused by us it is the rule:
 * groups of protobuf, numbers above 2^53, entry types that do not exist.
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
      rule(!reads || isStricter(theirs.error), `read, etcd refuses it: ${theirs.error}`);
      return reads ? `etcd alone refuses: ${theirs.error.slice(0, 30)}` : 'both refuse';
    }
    if (!reads) return `we alone refuse: ${ours.error ?? 'no snapshot'}`;
    sameLog(theirs, ours);
    return 'both read';
  },
};

/** What etcd refuses and we need not. */
function isStricter(error: string): boolean {
  return error.startsWith('panic');
}

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
