import { cursor, DecodeError, raftpb, readTag, skipField, snappb, WireType } from '@quorate/api';
import {
  CodedError,
  copyBytes,
  emptyBytes,
  equalBytes,
  MemoryDisk,
  nextBelow,
  noMetrics,
  type Random,
  SeededRandom,
  silentLogger,
} from '@quorate/base';
import { decodeSnapshotFile, encodeSnapshotFile, type Snapshot, SnapshotStore } from '@quorate/storage';
import { etcdFiles } from '../engine/regressions.ts';
import { codeOf, rule, type Target } from '../engine/target.ts';
import { dumbCrc32c } from './dumb-crc32c.ts';
import { refuseOddities } from './refuse-oddities.ts';
import { StillClock } from './still-clock.ts';

const folder = '/snap';
const older: Snapshot = {
  data: Uint8Array.of(1),
  metadata: {
    confState: { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
    index: 5,
    term: 1,
  },
};

function randomSnapshot(random: Random): Snapshot {
  const ids = (): bigint[] => Array.from({ length: nextBelow(random, 4) }, () => BigInt(random.nextUint32()) << 20n);
  return {
    data: Uint8Array.from({ length: nextBelow(random, 300) }, () => random.nextUint32()),
    metadata: {
      confState: {
        voters: ids(),
        learners: ids(),
        votersOutgoing: ids(),
        learnersNext: ids(),
        autoLeave: nextBelow(random, 2) === 0,
      },
      index: 1 + random.nextUint32(),
      term: nextBelow(random, 1000),
    },
  };
}

/** The bytes of the last message in that field. */
function fieldIn(bytes: Uint8Array, fieldNumber: number): Uint8Array {
  let found: Uint8Array = emptyBytes;
  for (let position = 0; position < bytes.length; ) {
    const tag = readTag(bytes, position, bytes.length);
    position = skipField(bytes, cursor.position, bytes.length, tag);
    // skipField leaves the cursor behind the length.
    if (tag === ((fieldNumber << 3) | WireType.bytes)) found = bytes.subarray(cursor.position, position);
  }
  return found;
}

/** What the generated codecs of the API and a checksum of our own make of it; undefined when it is no snapshot. */
function twin(input: Uint8Array): raftpb.Snapshot | undefined {
  try {
    refuseOddities(input);
    const { crc, data } = snappb.Snapshot.decode(input);
    if (data.length === 0 || crc === 0 || dumbCrc32c(0, data) !== crc) return undefined;
    refuseOddities(data, 2);
    const snapshot = raftpb.Snapshot.decode(data);
    const metadata = fieldIn(data, 2);
    refuseOddities(metadata, 1);
    refuseOddities(fieldIn(metadata, 1));
    return snapshot;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** Sets the checksum right, so that what is behind it is reached. */
function withChecksum(input: Uint8Array): Uint8Array {
  try {
    const { data } = snappb.Snapshot.decode(input);
    return copyBytes(snappb.Snapshot.encode(snappb.Snapshot.create({ crc: dumbCrc32c(0, data), data })));
  } catch {
    return input;
  }
}

export const snapTarget: Target = {
  name: 'snap',
  watches: ['/storage/dist/snap/', '/storage/dist/wal/'],
  inputBytesMax: 8192,
  testRuns: 5000,
  async seeds(random) {
    const ours = Array.from({ length: 12 }, () => encodeSnapshotFile(randomSnapshot(random)));
    return [...ours, ...etcdFiles('snap').values()];
  },
  mutate(input, random) {
    if (nextBelow(random, 2) === 0 || input.length === 0) return withChecksum(input);
    const changed = copyBytes(input);
    changed[nextBelow(random, changed.length)] = random.nextUint32();
    return withChecksum(changed);
  },
  async run(input) {
    let outcome = 'ok';
    let found: Snapshot | undefined;
    try {
      found = decodeSnapshotFile(input);
    } catch (error) {
      outcome = codeOf(error, (thrown) => thrown instanceof CodedError && /^snap\//.test(thrown.code));
    }
    const expected = twin(input);
    if (found !== undefined) {
      rule(expected !== undefined, 'read what the twin refuses');
      sameSnapshot(found, expected);
      const again = decodeSnapshotFile(encodeSnapshotFile(found));
      rule(equalBytes(again.data, found.data), 'another snapshot after writing and reading it');
    } else if (expected !== undefined) {
      rule(false, `refused (${outcome}) what the twin reads`);
    }
    await checkStore(input, found);
    return outcome;
  },
};

function sameSnapshot(found: Snapshot, expected: raftpb.Snapshot): void {
  const { metadata } = expected;
  rule(equalBytes(found.data, expected.data), 'other data than the twin');
  rule(found.metadata.index === (metadata?.index ?? 0), 'another index than the twin');
  rule(found.metadata.term === (metadata?.term ?? 0), 'another term than the twin');
  for (const list of ['voters', 'learners', 'votersOutgoing', 'learnersNext'] as const) {
    const theirs = metadata?.confState?.[list] ?? [];
    rule(found.metadata.confState[list].join() === theirs.join(), `other ${list} than the twin`);
  }
}

/** A snapshot that cannot be read is set aside, and the one before it is loaded. */
async function checkStore(input: Uint8Array, found: Snapshot | undefined): Promise<void> {
  const disk = new MemoryDisk();
  await disk.makeDirectory(folder);
  const deps = {
    disk,
    clock: new StillClock(),
    logger: silentLogger,
    metrics: noMetrics,
    random: new SeededRandom(1),
  };
  const store = new SnapshotStore(deps, folder);
  await store.save(older);
  const name = `${'f'.repeat(16)}-${'f'.repeat(16)}.snap`;
  const file = await disk.open(`${folder}/${name}`, { write: true, create: true });
  await file.write([input], 0);
  await file.close();
  const loaded = await store.loadNewest();
  rule(loaded?.metadata.index === (found ?? older).metadata.index, 'the store loads another snapshot');
  rule((await disk.exists(`${folder}/${name}.broken`)) === (found === undefined), 'the broken file is not set aside');
}
