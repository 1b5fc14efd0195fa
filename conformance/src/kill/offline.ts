import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { mvccpb } from '@quorate/api';
import { crc32c, latin1FromBytes, noMetrics, readUint64BE, silentLogger } from '@quorate/base';
import { NodeClock, NodeDisk, NodeRandom } from '@quorate/base/node';
import { Database, type ReadableBucket } from '@quorate/bbolt';
import { readWal, SnapshotStore, validSnapshotEntries, zeroSnapshot } from '@quorate/storage';
import type { Connection } from '../grpc/connection.ts';
import { bboltProgram, fileCheckProgram, type Program, toolProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';

/*
 * What offline tools say of the files that a kill left, before anyone repairs or continues them: ours and etcd's must find them sound, and
 * find the same.
 */

const deps = {
  disk: new NodeDisk(),
  clock: new NodeClock(),
  logger: silentLogger,
  metrics: noMetrics,
  random: new NodeRandom(),
};

/** What filecheck answers (conformance/go/filecheck). */
interface FileAnswer {
  readonly error: string;
  readonly entries: number;
  readonly index: number;
  readonly term: number;
  readonly vote: string;
  readonly commit: number;
  readonly voters: number;
  readonly digest: string;
}

/** What a run of the checks came to. */
export interface OfflineCounts {
  logs: number;
  entries: number;
  databases: number;
  hashes: number;
}

export class OfflineChecks {
  readonly counts: OfflineCounts = { logs: 0, entries: 0, databases: 0, hashes: 0 };
  private readonly report: Report;
  private readonly skipped = new Set<string>();

  constructor(report: Report) {
    this.report = report;
  }

  /** Everything about the directory, which must be a copy. `connection` is to the server that went on from the same files. */
  async check(dataDir: string, connection: Connection): Promise<string[]> {
    const database = join(dataDir, 'member', 'snap', 'db');
    const revision = { value: 0 };
    return [
      ...(await this.checkLog(dataDir)),
      ...(await this.checkDatabase(database, revision)),
      ...(await this.checkHash(database, revision.value, connection)),
    ];
  }

  /** The command when it is there; says once that it is not. */
  private commandOf(name: string, program: Program): string | undefined {
    if (program.found) return program.command;
    if (!this.skipped.has(name)) this.report.skip(`kill: ${name}`, program.reason);
    this.skipped.add(name);
    return undefined;
  }

  private async checkLog(dataDir: string): Promise<string[]> {
    const log = join(dataDir, 'member', 'wal');
    const store = new SnapshotStore(deps, join(dataDir, 'member', 'snap'));
    const snapshot = await store.loadNewest(await validSnapshotEntries(deps, log));
    const { index, term } = snapshot?.metadata ?? zeroSnapshot;
    const { entries, hardState } = await readWal(deps, log, { index, term });
    this.counts.logs++;
    this.counts.entries += entries.length;
    const command = this.commandOf('logs read by etcd', fileCheckProgram());
    if (command === undefined) return [];
    const digest = createHash('sha256');
    for (const entry of entries) {
      digest.update(`${entry.term} ${entry.index} ${entry.type} ${entry.data.length}\n`).update(entry.data);
    }
    const ours: FileAnswer = {
      ...{ error: '', entries: entries.length, index: entries.at(-1)?.index ?? index, term: hardState.term },
      ...{ vote: String(hardState.vote), commit: hardState.commit, voters: 0, digest: digest.digest('hex') },
    };
    const questions = [`wal ${log} ${index} ${term}`];
    const expected = [ours];
    if (snapshot !== undefined) {
      const hex = (value: number): string => value.toString(16).padStart(16, '0');
      questions.push(`snap ${join(store.directory, `${hex(term)}-${hex(index)}.snap`)}`);
      const { data, metadata } = snapshot;
      expected.push({
        ...{ error: '', entries: 0, index, term, vote: '', commit: 0, voters: metadata.confState.voters.length },
        digest: createHash('sha256').update(data).digest('hex'),
      });
    }
    return compareAnswers(askFileCheck(command, questions), expected);
  }

  private async checkDatabase(path: string, revision: { value: number }): Promise<string[]> {
    const problems: string[] = [];
    const bbolt = this.commandOf('bbolt check', bboltProgram());
    if (bbolt !== undefined) {
      const checked = spawnSync(bbolt, ['check', path], { encoding: 'utf8' });
      if (checked.status !== 0) problems.push(`bbolt check: ${checked.stdout}${checked.stderr}`);
    }
    const database = await Database.open(deps, path, { readOnly: true, lockTimeoutMs: 0 });
    try {
      const { errors } = await database.check();
      if (errors.length > 0) problems.push(`our check: ${errors.slice(0, 5).join('\n')}`);
      this.counts.databases++;
      const ours = statusOf(database);
      revision.value = ours.revision;
      const etcdutl = this.commandOf('etcdutl snapshot status', toolProgram('etcdutl', '3.7'));
      if (etcdutl === undefined) return problems;
      const theirs = JSON.parse(runTool(etcdutl, ['snapshot', 'status', path, '-w', 'json'])) as DatabaseStatus;
      for (const name of ['hash', 'revision', 'totalKey', 'totalSize'] as const) {
        if (ours[name] !== theirs[name]) problems.push(`status: ${name} ${ours[name]}, etcdutl says ${theirs[name]}`);
      }
    } finally {
      await database.close();
    }
    return problems;
  }

  /** The hash of the key history up to the last revision in the file, by etcdutl of the file and by the server that went on. */
  private async checkHash(path: string, revision: number, connection: Connection): Promise<string[]> {
    const etcdutl = this.commandOf('etcdutl hashkv', toolProgram('etcdutl', '3.7'));
    if (etcdutl === undefined || revision === 0) return [];
    const arguments_ = ['hashkv', path, '--rev', String(revision), '-w', 'json'];
    const theirs = JSON.parse(runTool(etcdutl, arguments_)) as { hash: number; compactRevision: number };
    const answer = await connection.unary('Maintenance.HashKV', { revision });
    // The log may hold a compaction that the file has not seen.
    if (!answer.ok) return answer.code === 'OUT_OF_RANGE' ? [] : [`HashKV at ${revision}: ${answer.details}`];
    const { hash, compact_revision: compacted } = answer.message;
    if (Number(compacted) !== theirs.compactRevision) return [];
    this.counts.hashes++;
    return Number(hash) === theirs.hash ? [] : [`HashKV at ${revision} is ${hash}, etcdutl says ${theirs.hash}`];
  }
}

function runTool(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.slice(0, 2).join(' ')}: ${stderr}`);
  return stdout;
}

function askFileCheck(command: string, questions: readonly string[]): FileAnswer[] {
  const { stdout, stderr } = spawnSync(command, { input: `${questions.join('\n')}\n`, encoding: 'utf8' });
  const lines = stdout.trim().split('\n');
  if (lines.length !== questions.length) throw new Error(`filecheck: ${stderr}`);
  return lines.map((line) => JSON.parse(line) as FileAnswer);
}

function compareAnswers(theirs: readonly FileAnswer[], ours: readonly FileAnswer[]): string[] {
  return ours.flatMap((expected, i) => {
    const found = theirs[i] as FileAnswer;
    const names = Object.keys(expected) as (keyof FileAnswer)[];
    const differing = names.filter((name) => found[name] !== expected[name]);
    return differing.map(
      (name) => `${i === 0 ? 'log' : 'snapshot'}: ${name} ${expected[name]}, etcd reads ${found[name]}`,
    );
  });
}

interface DatabaseStatus {
  readonly hash: number;
  readonly revision: number;
  readonly totalKey: number;
  readonly totalSize: number;
}

/** As `etcdutl snapshot status` counts: a checksum over all names, keys and values in their order; keys that are not deleted. */
function statusOf(database: Database): DatabaseStatus {
  const read = database.beginRead();
  let hash = 0;
  let revision = 0;
  const keys = new Set<string>();
  const visitKeys = (key: Uint8Array, value: Uint8Array): void => {
    revision = readUint64BE(key, 0);
    const name = latin1FromBytes(mvccpb.KeyValue.decode(value).key);
    // A revision with a mark behind it is a deletion.
    if (key.length > 17) keys.delete(name);
    else keys.add(name);
  };
  const root = read.root();
  const buckets = root.cursor();
  for (let there = buckets.first(); there; there = buckets.next()) {
    const { key: name } = buckets;
    hash = crc32c(hash, name);
    const isKeys = latin1FromBytes(name) === 'key';
    const cursor = (root.bucket(name) as ReadableBucket).cursor();
    for (let inside = cursor.first(); inside; inside = cursor.next()) {
      const value = cursor.value ?? new Uint8Array(0);
      hash = crc32c(crc32c(hash, cursor.key), value);
      if (isKeys) visitKeys(cursor.key, value);
    }
  }
  read.close();
  return { hash, revision, totalKey: keys.size, totalSize: database.sizeBytes };
}
