import { walpb } from '@quorate/api';
import {
  CodedError,
  concatBytes,
  copyBytes,
  equalBytes,
  latin1FromBytes,
  latin1ToBytes,
  MemoryDisk,
  nextBelow,
  noMetrics,
  type Random,
  silentLogger,
  utf8ToBytes,
} from '@quorate/base';
import {
  type Entry,
  encodeWalMetadata,
  readWal,
  segmentName,
  Wal,
  type WalContent,
  type WalDeps,
  zeroSnapshot,
} from '@quorate/storage';
import { joinParts, splitParts } from '../engine/parts.ts';
import { etcdFiles } from '../engine/regressions.ts';
import { codeOf, rule, type Target } from '../engine/target.ts';
import { dumbCrc32c } from './dumb-crc32c.ts';
import { StillClock } from './still-clock.ts';
import { frameAt, type LogFile, readDumbly, segmentPattern, type TwinContent } from './wal-twin.ts';

const directory = '/wal';
const segmentBytes = 2048;
const filesMax = 8;
const metadata = encodeWalMetadata({ nodeId: 0xc437_c30f_b21f_c940n, clusterId: 7n });

/** An input is the files of a directory: name, bytes, name, bytes ... */
export function filesOf(input: Uint8Array): LogFile[] {
  const parts = splitParts(input);
  const files = new Map<string, Uint8Array>();
  for (let i = 0; i + 1 < parts.length && files.size < filesMax; i += 2) {
    const name = latin1FromBytes(parts[i] as Uint8Array);
    // Names that no directory has.
    if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) continue;
    files.set(name, parts[i + 1] as Uint8Array);
  }
  return [...files].map(([name, bytes]) => ({ name, bytes }));
}

function inputOf(files: readonly LogFile[]): Uint8Array {
  return joinParts(files.flatMap(({ name, bytes }) => [latin1ToBytes(name), bytes]));
}

function depsOn(disk: MemoryDisk): WalDeps {
  return { disk, clock: new StillClock(), logger: silentLogger, metrics: noMetrics };
}

async function diskWith(files: readonly LogFile[]): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await disk.makeDirectory(directory);
  for (const { name, bytes } of files) {
    const file = await disk.open(`${directory}/${name}`, { write: true, create: true });
    await file.write([copyBytes(bytes)], 0);
    await file.close();
  }
  return disk;
}

const isWalError = (error: unknown): boolean => error instanceof CodedError && error.code.startsWith('wal/');

/** A log as a member writes it: terms that rise, tails that are replaced, snapshots, some segments. */
async function writtenLog(random: Random, crash: boolean): Promise<Uint8Array> {
  const disk = new MemoryDisk();
  const deps = depsOn(disk);
  await disk.syncDirectory('/');
  const wal = await Wal.create(deps, { directory, segmentBytes, preallocation: 'sparse' }, metadata);
  let term = 1;
  const count = 3 + nextBelow(random, 20);
  for (let i = 0; i < count; i++) {
    if (nextBelow(random, 6) === 0) term++;
    let index = wal.lastIndex + 1 - (nextBelow(random, 8) === 0 ? Math.min(2, wal.lastIndex) : 0);
    const entries = Array.from({ length: nextBelow(random, 4) }, (): Entry => {
      const data = utf8ToBytes(`entry ${index} of term ${term} ${'x'.repeat(nextBelow(random, 200))}`);
      return { term, index: index++, type: nextBelow(random, 9) === 0 ? 1 : 0, data };
    });
    wal.append({ term, vote: 3n, commit: Math.max(0, wal.lastIndex - 1) }, entries);
    if (nextBelow(random, 9) === 0 && wal.lastIndex > 1) await wal.saveSnapshot({ index: wal.lastIndex - 1, term });
    // Some of the last ones are on their way when the machine stops.
    if (!crash || i < count - 2) await wal.sync();
    else void wal.sync().catch(() => undefined);
  }
  if (crash) {
    disk.stop();
    disk.crash(random, 'torn');
  } else await wal.close();
  const names = (await disk.list(directory)).filter((name) => name.endsWith('.wal'));
  const files = await Promise.all(
    names.map(async (name) => ({ name, bytes: await disk.readFile(`${directory}/${name}`) })),
  );
  return inputOf(files);
}

/** Takes records out, doubles, exchanges and changes them, and sets all checksums right. */
function rewritten(input: Uint8Array, random: Random): Uint8Array {
  let crc = 0;
  const files = filesOf(input).map(({ name, bytes }): LogFile => {
    if (!segmentPattern.test(name)) return { name, bytes };
    const records = recordsOf(bytes);
    if (nextBelow(random, 2) === 0) changeRecords(records, random);
    const frames = records.map((record) => {
      // The first says where the log's checksum begins.
      if (record.type !== 4) crc = dumbCrc32c(crc, record.data);
      else if (crc === 0) crc = record.crc;
      return framed(walpb.Record.encode(walpb.Record.create({ type: record.type, crc, data: record.data })));
    });
    return { name, bytes: concatBytes([...frames, new Uint8Array(nextBelow(random, 3) * 64)]) };
  });
  return inputOf(files);
}

function recordsOf(bytes: Uint8Array): walpb.Record[] {
  const records: walpb.Record[] = [];
  try {
    for (let frame = frameAt(bytes, 0); frame !== undefined; frame = frameAt(bytes, frame.next)) {
      records.push(walpb.Record.decode(bytes, frame.start, frame.end));
    }
  } catch {
    // Those before the damage will do.
  }
  return records;
}

function changeRecords(records: walpb.Record[], random: Random): void {
  const at = nextBelow(random, records.length || 1);
  const record = records[at];
  if (record === undefined) return;
  switch (nextBelow(random, 5)) {
    case 0:
      records.splice(at, 1);
      break;
    case 1:
      records.splice(nextBelow(random, records.length), 0, record);
      break;
    case 2:
      records[at] = { ...record, type: nextBelow(random, 7) };
      break;
    default: {
      const data = copyBytes(record.data);
      if (data.length > 0) data[nextBelow(random, Math.min(data.length, 12))] = random.nextUint32();
      records[at] = { ...record, data: nextBelow(random, 4) === 0 ? data.subarray(0, data.length >>> 1) : data };
    }
  }
}

function framed(record: Uint8Array): Uint8Array {
  const pad = -record.length & 7;
  const bytes = new Uint8Array(8 + record.length + pad);
  new DataView(bytes.buffer).setUint32(0, record.length, true);
  bytes[7] = pad === 0 ? 0 : 0x80 | pad;
  bytes.set(record, 8);
  return bytes;
}

/** Renames, leaves out, cuts and tears files. */
function withOtherFiles(input: Uint8Array, random: Random): Uint8Array {
  const files = filesOf(input);
  const at = nextBelow(random, files.length || 1);
  const file = files[at];
  if (file === undefined) return input;
  const { name, bytes } = file;
  switch (nextBelow(random, 5)) {
    case 0:
      files.splice(at, 1);
      break;
    case 1:
      files[at] = { name: segmentName(nextBelow(random, 4), nextBelow(random, 3) * nextBelow(random, 20)), bytes };
      break;
    case 2:
      files[at] = { name, bytes: bytes.subarray(0, nextBelow(random, bytes.length + 1)) };
      break;
    case 3:
      files[at] = { name: nextBelow(random, 2) === 0 ? `${name}.tmp` : name.toUpperCase(), bytes };
      break;
    default: {
      const torn = copyBytes(bytes);
      const sector = nextBelow(random, Math.ceil(torn.length / 512) || 1) * 512;
      torn.fill(0, sector, Math.min(torn.length, sector + 512 * (1 + nextBelow(random, 3))));
      files[at] = { name, bytes: torn };
    }
  }
  return inputOf(files);
}

export const walTarget: Target = {
  name: 'wal',
  watches: ['/storage/dist/wal/'],
  inputBytesMax: 24 * 1024,
  testRuns: 5000,
  async seeds(random) {
    const seeds: Uint8Array[] = [];
    for (let i = 0; i < 12; i++) seeds.push(await writtenLog(random, i % 3 === 2));
    for (const bytes of etcdFiles('wal').values()) seeds.push(inputOf([{ name: segmentName(0, 0), bytes }]));
    return seeds;
  },
  mutate: (input, random) => (nextBelow(random, 2) === 0 ? rewritten(input, random) : withOtherFiles(input, random)),
  async run(input) {
    const files = filesOf(input);
    const expected = readDumbly(files);
    const deps = depsOn(await diskWith(files));
    let outcome = expected.error ?? 'ok';
    try {
      const found = await readWal(deps, directory, zeroSnapshot);
      rule(
        expected.error === undefined || expected.error === 'wal/unexpected-eof',
        `read, the twin: ${expected.error}`,
      );
      rule(expected.hasSnapshot, 'read without a record of the snapshot');
      sameContent(found, expected);
    } catch (error) {
      outcome = codeOf(error, isWalError);
      const isSame = outcome === expected.error || (outcome === 'wal/snapshot-not-found' && !expected.hasSnapshot);
      rule(isSame, `refused as ${outcome}, the twin: ${expected.error}`);
    }
    await checkOpening(deps, expected);
    return outcome;
  },
};

function sameContent(found: WalContent, expected: TwinContent): void {
  rule(found.entries.length === expected.entries.length, 'another number of entries than the twin');
  for (const [i, { term, index, type, data }] of found.entries.entries()) {
    const theirs = expected.entries[i] as TwinContent['entries'][number];
    const isSame = term === theirs.term && index === theirs.index && type === theirs.type;
    rule(isSame && equalBytes(data, theirs.data), `another entry ${i} than the twin`);
  }
  const { term, vote, commit } = found.hardState;
  const { hardState } = expected;
  rule(term === hardState.term && vote === hardState.vote && commit === hardState.commit, 'another hard state');
  const theirs = expected.metadata ?? new Uint8Array(0);
  rule(equalBytes(found.metadata ?? new Uint8Array(0), theirs), 'other metadata than the twin');
}

/** Opened for writing, repaired where a write was torn, the log says the same, and takes a further entry behind. */
async function checkOpening(deps: WalDeps, expected: TwinContent): Promise<void> {
  let opened: Awaited<ReturnType<typeof Wal.open>>;
  try {
    opened = await Wal.open(deps, { directory, segmentBytes, preallocation: 'sparse' });
  } catch (error) {
    const code = codeOf(error, isWalError);
    rule(expected.error !== undefined, `cannot be opened: ${code}`);
    return;
  }
  const { wal, content } = opened;
  const isWhole = expected.error === undefined || expected.error === 'wal/unexpected-eof';
  rule(isWhole, `opened, the twin: ${expected.error}`);
  sameContent(content, expected);
  const last = expected.entries.at(-1)?.index ?? 0;
  const goesOn = wal.lastIndex === last && last < 2 ** 50;
  const entry: Entry = { term: 9, index: last + 1, type: 0, data: Uint8Array.of(1, 2, 3) };
  if (goesOn) {
    wal.append({ term: 9, vote: 1n, commit: 0 }, [entry]);
    await wal.sync();
  }
  await wal.close();
  if (!goesOn || !expected.hasSnapshot) return;
  const after = await readWal(deps, directory, zeroSnapshot);
  const more = { ...expected, entries: [...expected.entries, { ...entry, unknown: undefined }] };
  sameContent(after, { ...more, hardState: { term: 9, vote: 1n, commit: 0 } });
}
