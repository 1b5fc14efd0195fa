import {
  CodedError,
  copyBytes,
  type Disk,
  type DiskFile,
  equalBytes,
  MemoryDisk,
  nextBelow,
  type OpenOptions,
  type Random,
  utf8ToBytes,
} from '@quorate/base';
import { Database, type ReadableBucket } from '@quorate/bbolt';
import { etcdFiles } from '../engine/regressions.ts';
import { codeOf, rule, type Target } from '../engine/target.ts';
import { StillClock } from './still-clock.ts';

const path = '/db';
const pageSize = 1024;
/** More elements than any file of an input can hold: pages are walked again and again. */
const elementsMax = 20_000;
const isTyped = (error: unknown): boolean => error instanceof CodedError && error.code.startsWith('bbolt/');

/** Up to where the second meta is looked for when the first is broken. */
const probeBytesMax = 16 * 1024 * 1024;

/** A disk that complains of reads far behind the file. */
class WatchedDisk extends MemoryDisk {
  override async open(filePath: string, options?: OpenOptions): Promise<DiskFile> {
    const file = await super.open(filePath, options);
    const check = (position: number): void =>
      rule(position >= 0 && position <= Math.max(file.size() + 65_536, probeBytesMax), `reads at ${position}`);
    const read = file.read.bind(file);
    const readSync = file.readSync.bind(file);
    file.read = (target, position) => {
      check(position);
      return read(target, position);
    };
    file.readSync = (target, position) => {
      check(position);
      return readSync(target, position);
    };
    return file;
  }
}

function depsOn(disk: Disk): { disk: Disk; clock: StillClock } {
  return { disk, clock: new StillClock() };
}

const key = (n: number): Uint8Array => utf8ToBytes(`key ${String(n).padStart(5, '0')}`);

/** Buckets of several kinds, inside one another too, some commits deep. */
async function writtenDatabase(random: Random): Promise<Uint8Array> {
  const disk = new MemoryDisk();
  const storeFreelist = nextBelow(random, 2) === 0;
  const database = await Database.open(depsOn(disk), path, { pageSize, storeFreelist });
  for (let commits = 1 + nextBelow(random, 3); commits > 0; commits--) {
    const write = database.beginWrite();
    for (let i = 1 + nextBelow(random, 3); i > 0; i--) {
      const bucket = write.createBucketIfMissing(utf8ToBytes(`bucket ${i}`));
      for (let count = nextBelow(random, 40); count > 0; count--) {
        bucket.put(key(nextBelow(random, 60)), new Uint8Array(nextBelow(random, nextBelow(random, 8) ? 60 : 2500)));
      }
      bucket.delete(key(nextBelow(random, 60)));
      if (nextBelow(random, 2) === 0) bucket.createBucketIfMissing(utf8ToBytes('inner')).put(key(1), Uint8Array.of(7));
    }
    await write.commit();
  }
  await database.close();
  return disk.readFile(path);
}

function pageSizeOf(input: Uint8Array): number {
  const said = input.length < 32 ? 0 : new DataView(input.buffer, input.byteOffset).getUint32(24, true);
  return said >= 512 && said <= 65_536 ? said : pageSize;
}

/** FNV-1a over the meta's fields, so that a changed one counts. */
function fixMeta(bytes: Uint8Array, start: number): void {
  if (start + 80 > bytes.length) return;
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (let i = start + 16; i < start + 72; i++) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(bytes[i] as number)) * 0x100_0000_01b3n);
  }
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(start + 72, hash, true);
}

/** Changes one field of a meta, of a page's head or of an element. */
function withOtherField(input: Uint8Array, random: Random): Uint8Array {
  const bytes = copyBytes(input);
  const size = pageSizeOf(bytes);
  const pages = Math.max(1, Math.floor(bytes.length / size));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const page = nextBelow(random, pages) * size;
  const values = [0, 1, 2, 3, nextBelow(random, pages + 2), nextBelow(random, pages), nextBelow(random, size * 2)];
  const value = values[nextBelow(random, values.length)] as number;
  const put = (at: number, width: 2 | 4): void => {
    if (at + width > bytes.length) return;
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
  };
  if (page < 2 * size) put(page + 16 + 4 * nextBelow(random, 14), 4);
  else if (nextBelow(random, 3) === 0)
    put(page + ([0, 8, 10, 12][nextBelow(random, 4)] as number), nextBelow(random, 2) ? 2 : 4);
  else put(page + 16 + 4 * nextBelow(random, 24), 4);
  fixMeta(bytes, 0);
  fixMeta(bytes, size);
  return bytes;
}

/** One page in the place of another, its id set right or not. */
function withOtherPage(input: Uint8Array, random: Random): Uint8Array {
  const bytes = copyBytes(input);
  const size = pageSizeOf(bytes);
  const pages = Math.floor(bytes.length / size);
  if (pages < 3) return bytes;
  const [from, to] = [nextBelow(random, pages), 2 + nextBelow(random, pages - 2)];
  bytes.copyWithin(to * size, from * size, (from + 1) * size);
  if (nextBelow(random, 3) > 0) new DataView(bytes.buffer, bytes.byteOffset).setUint32(to * size, to, true);
  return bytes;
}

export const bboltTarget: Target = {
  name: 'bbolt',
  watches: ['/bbolt/dist/'],
  inputBytesMax: 48 * 1024,
  testRuns: 3500,
  async seeds(random) {
    const seeds: Uint8Array[] = [];
    for (let i = 0; i < 12; i++) seeds.push(await writtenDatabase(random));
    return [...seeds, ...etcdFiles('db').values()];
  },
  mutate: (input, random) =>
    nextBelow(random, 3) === 0 ? withOtherPage(input, random) : withOtherField(input, random),
  async run(input) {
    const reading = await readOnly(input);
    const writing = await readAndWrite(input);
    return `${reading}, ${writing}`;
  },
};

async function databaseOf(input: Uint8Array, options: { readOnly: boolean }): Promise<Database | string> {
  const disk = new WatchedDisk();
  const file = await disk.open(path, { write: true, create: true });
  await file.write([copyBytes(input)], 0);
  await file.close();
  try {
    return await Database.open(depsOn(disk), path, { ...options, lockTimeoutMs: 0 });
  } catch (error) {
    return codeOf(error, isTyped);
  }
}

/** What a walk over all buckets finds: pairs, or why it ended. */
function scan(root: ReadableBucket, depth = 0): number {
  let pairs = 0;
  const inner: Uint8Array[] = [];
  let elements = 0;
  root.forEach((name, value) => {
    if (++elements > elementsMax) throw new CodedError('bbolt/too-many', 'walked too far');
    if (value === undefined) inner.push(copyBytes(name));
    else pairs++;
  });
  if (depth > 20) throw new CodedError('bbolt/too-many', 'nested too far');
  for (const name of inner) {
    const bucket = root.bucket(name);
    if (bucket === undefined) throw new CodedError('bbolt/unfound', 'a bucket that is listed is not found');
    pairs += scan(bucket, depth + 1);
  }
  return pairs;
}

/** Pairs in a database that our check finds sound; undefined for every other. */
export async function soundPairs(input: Uint8Array): Promise<number | undefined> {
  const database = await databaseOf(input, { readOnly: true });
  if (typeof database === 'string') return undefined;
  const { errors, pairs } = await database.check();
  await database.close();
  return errors.length === 0 ? pairs : undefined;
}

async function readOnly(input: Uint8Array): Promise<string> {
  const database = await databaseOf(input, { readOnly: true });
  if (typeof database === 'string') return database;
  const report = await database.check();
  const read = database.beginRead();
  let outcome = 'sound';
  try {
    const pairs = scan(read.root());
    rule(report.errors.length > 0 || pairs === report.pairs, `${pairs} pairs, the check found ${report.pairs}`);
  } catch (error) {
    outcome = codeOf(error, isTyped);
    rule(report.errors.length > 0, `the check finds nothing, reading: ${outcome}`);
  }
  read.close();
  await database.close();
  return report.errors.length > 0 ? `check: ${outcome}` : outcome;
}

async function readAndWrite(input: Uint8Array): Promise<string> {
  const database = await databaseOf(input, { readOnly: false });
  if (typeof database === 'string') return database;
  const before = await database.check();
  let outcome = 'written';
  try {
    const read = database.beginRead();
    const pairs = scan(read.root());
    read.close();
    const write = database.beginWrite();
    const bucket = write.createBucketIfMissing(utf8ToBytes('fuzz'));
    const fresh = bucket.get(key(3)) === undefined ? 1 : 0;
    bucket.put(key(3), new Uint8Array(1500).fill(3));
    await write.commit();
    if (before.errors.length === 0) {
      const after = await database.check();
      rule(after.errors.length === 0, `wrong after a commit: ${after.errors[0]}`);
      rule(after.pairs === pairs + fresh, `${after.pairs} pairs after a commit, ${pairs} before`);
      const again = database.beginRead();
      const value = again.bucket(utf8ToBytes('fuzz'))?.get(key(3));
      rule(value !== undefined && equalBytes(value, new Uint8Array(1500).fill(3)), 'what was written is not there');
      again.close();
    }
  } catch (error) {
    outcome = codeOf(error, isTyped);
    rule(before.errors.length > 0, `the check finds nothing, writing: ${outcome}`);
  }
  // Whatever is open goes with the process.
  return before.errors.length > 0 ? `check: ${outcome}` : outcome;
}
