import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { nextBelow, type Random, SeededRandom } from '@quorate/base';
import type { Connection } from '../grpc/connection.ts';
import type { Message } from '../grpc/services.ts';
import type { Options } from '../options.ts';
import { unifiedDiff } from '../support/diff.ts';
import { freePorts } from '../support/ports.ts';
import { type ServerKind, serverProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import {
  launch,
  launchFresh,
  type RunningServer,
  removeScratchDir,
  scratchDir,
  startAndKill,
} from '../support/server.ts';
import { errorText, sleep } from '../support/text.ts';
import { compareDumps, connect, type Dump, dump } from './inspect.ts';
import { type Acknowledged, Worker } from './load.ts';
import { applyChanges, changesAnything, type State, sameState, showState } from './model.ts';
import { OfflineChecks } from './offline.ts';

const WORKERS = 10;
/** A data directory lives this many rounds, then a fresh one is begun. */
const ROUNDS_A_LIFE = 8;
const LOAD_MS_MAX = 1200;
const OLD_READS = 6;
const DOWNGRADE_REFUSAL = 'cluster cannot be downgraded';

interface Life {
  readonly directory: string;
  readonly extraArgs: readonly string[];
  readonly workers: readonly Worker[];
  server: RunningServer;
  /** The store's revision when the last check was done. */
  revision: number;
}

class KillSuite {
  private readonly options: Options;
  private readonly report: Report;
  private readonly random: Random;
  private readonly offline: OfflineChecks;
  private acknowledged = 0;
  private readonly refused = new Set<ServerKind>();

  constructor(options: Options, report: Report) {
    this.options = options;
    this.report = report;
    this.offline = new OfflineChecks(report);
    this.random = new SeededRandom(options.seed);
  }

  private openers(): ServerKind[] {
    return this.options.openWith.filter((kind) => {
      const program = serverProgram(kind);
      if (!program.found) this.report.skip(`kill: opening with ${kind}`, program.reason);
      return program.found;
    });
  }

  async run(): Promise<void> {
    const openers = this.openers();
    const underTest = this.options.serverUnderTest;
    let life: Life | undefined;
    for (let round = 1; round <= this.options.rounds; round++) {
      const name = `kill seed ${this.options.seed} round ${round}`;
      try {
        life ??= await this.begin(underTest);
        await this.round(name, life, openers);
        if (round % ROUNDS_A_LIFE === 0) life = await this.end(life);
        const writer = openers[round % openers.length];
        if (writer !== undefined) await this.reverseRound(`${name} (${writer} writes, ${underTest} opens)`, writer);
      } catch (error) {
        const log = life?.server.child.exit === undefined ? '' : `\n${life.server.logTail()}`;
        this.report.fail(name, `${errorText(error)}${log}`);
        // What a failed check leaves behind says nothing about later rounds: begin anew.
        if (life !== undefined) life = await this.end(life);
      }
    }
    if (life !== undefined) await this.end(life);
    const { logs, entries, databases, hashes } = this.offline.counts;
    this.report.note(
      `kill: ${this.acknowledged} requests acknowledged; offline ${logs} logs of ${entries} entries, ${databases} databases, ${hashes} hashes`,
    );
  }

  private async begin(kind: ServerKind): Promise<Life> {
    const directory = scratchDir('kill');
    // Small raft snapshots in every other life, so that recovery starts from snapshots and cut logs too.
    const extraArgs = nextBelow(this.random, 2) === 0 ? ['--snapshot-count=300'] : [];
    const server = await launchFresh(kind, directory, extraArgs);
    const workers = Array.from(
      { length: WORKERS },
      (_, index) => new Worker(index, new SeededRandom(this.random.nextUint32())),
    );
    return { directory, extraArgs, workers, server, revision: 1 };
  }

  private async end(life: Life): Promise<undefined> {
    await life.server.kill();
    if (!this.options.keep) removeScratchDir(life.directory);
    return undefined;
  }

  /** Load, kill -9, and what must hold afterwards. */
  private async round(name: string, life: Life, openers: readonly ServerKind[]): Promise<void> {
    await this.loadAndKill(life);
    const crashed = this.copyData(life);
    await this.restart(life);
    const connection = connect(life.server);
    try {
      const found = await dump(connection);
      this.checkWorkers(name, life, found);
      await this.checkOldReads(name, life, found, connection);
      this.verdict(`${name}: files as offline tools see them`, await this.offline.check(crashed('check'), connection));
      for (const kind of openers) await this.openCopy(`${name}: opened by ${kind}`, kind, crashed(kind), found);
    } finally {
      connection.close();
    }
  }

  private async reverseRound(name: string, writer: ServerKind): Promise<void> {
    const life = await this.begin(writer);
    try {
      await this.loadAndKill(life);
      const crashed = this.copyData(life);
      const { kind, dataDir, clientPort, peerPort } = life.server;
      life.server = await launch({ kind, dataDir, clientPort, peerPort, extraArgs: life.extraArgs });
      const connection = connect(life.server);
      const found = await dump(connection);
      connection.close();
      this.checkWorkers(`${name}: its own recovery`, life, found);
      await this.openCopy(name, this.options.serverUnderTest, crashed('under-test'), found);
    } finally {
      await this.end(life);
    }
  }

  private async loadAndKill(life: Life): Promise<void> {
    const connection = connect(life.server);
    let stopping = false;
    const working = life.workers.map((worker) => {
      worker.forgetLease();
      return worker.run(connection, () => stopping);
    });
    const outcome = Promise.all(working);
    await Promise.race([sleep(nextBelow(this.random, LOAD_MS_MAX)), outcome]);
    await life.server.kill();
    stopping = true;
    await outcome;
    connection.close();
  }

  /** Copies of the directory as the crash left it, one for each name, made before anyone opens it. */
  private copyData(life: Life): (name: string) => string {
    const source = life.server.dataDir;
    const copies = new Map<string, string>();
    for (const name of [...this.options.openWith, 'under-test', 'check']) {
      const target = join(life.directory, `copy-${name}`);
      spawnSync('rm', ['-rf', target]);
      const copied = spawnSync('cp', ['-a', '--sparse=always', source, target], { encoding: 'utf8' });
      if (copied.status !== 0) throw new Error(`cannot copy ${source}: ${copied.stderr}`);
      copies.set(name, target);
    }
    return (name) => copies.get(name) ?? source;
  }

  private async restart(life: Life): Promise<void> {
    const { kind, dataDir, clientPort, peerPort } = life.server;
    const options = { kind, dataDir, clientPort, peerPort, extraArgs: life.extraArgs };
    // Now and then the crash repeats while it recovers.
    while (nextBelow(this.random, 5) === 0) await startAndKill(options, nextBelow(this.random, 400));
    life.server = await launch(options);
  }

  private checkWorkers(name: string, life: Life, found: Dump): void {
    let expectedRevision = life.revision;
    const problems: string[] = [];
    const seen = new Set<number>();
    for (const worker of life.workers) {
      for (const revision of worker.revisions) {
        if (seen.has(revision)) problems.push(`revision ${revision} was given twice`);
        if (revision <= life.revision) problems.push(`revision ${revision} was given again after a restart`);
        seen.add(revision);
      }
      expectedRevision += worker.revisions.length;
      const mine = ownKeys(found.state, worker.prefix);
      const pending = worker.pending;
      const after = pending === undefined ? undefined : applyChanges(worker.state, pending, undefined);
      const moved = pending !== undefined && changesAnything(worker.state, pending);
      // Without a change both states are the same; the first match is then right too.
      if (after !== undefined && sameState(after, mine)) expectedRevision += moved ? 1 : 0;
      else if (!sameState(worker.state, mine)) problems.push(describeLoss(worker, mine, after));
      worker.state = mine;
      this.acknowledged += worker.requests;
      worker.requests = 0;
    }
    if (found.revision !== expectedRevision) {
      problems.push(`the store is at revision ${found.revision}; its writes make ${expectedRevision}`);
    }
    const greatest = Math.max(life.revision, ...seen);
    if (found.revision < greatest) problems.push(`revision went back from ${greatest} to ${found.revision}`);
    life.revision = found.revision;
    this.verdict(`${name}: no write lost or half applied`, problems);
  }

  /** Acknowledged writes are read again at their own revisions. */
  private async checkOldReads(name: string, life: Life, found: Dump, connection: Connection): Promise<void> {
    const compacted = life.workers[0]?.acknowledgedCompaction ?? 0;
    const writes = life.workers.flatMap((worker) => worker.recent).filter((write) => write.revision > compacted + 25);
    const problems: string[] = [];
    for (let count = 0; count < OLD_READS && writes.length > 0; count++) {
      const write = writes[nextBelow(this.random, writes.length)] as Acknowledged;
      const answer = await connection.unary('KV.Range', { key: Buffer.from(write.key), revision: write.revision });
      if (!answer.ok) {
        // A compaction that was under way may have come through.
        if (answer.code !== 'OUT_OF_RANGE') problems.push(`${write.key} at ${write.revision}: ${answer.details}`);
        continue;
      }
      const kv = (answer.message.kvs as Message[])[0];
      const value = kv === undefined ? undefined : (kv.value as Buffer).toString();
      if (value !== write.value) problems.push(`${write.key} at ${write.revision} is ${value}, not ${write.value}`);
    }
    if (compacted > 1) {
      const answer = await connection.unary('KV.Range', { key: Buffer.from('w0/k0'), revision: compacted - 1 });
      if (answer.ok)
        problems.push(`revision ${compacted - 1} is readable after compaction at ${compacted} was acknowledged`);
    }
    if (found.revision < compacted) problems.push(`compacted at ${compacted}, above revision ${found.revision}`);
    this.verdict(`${name}: old revisions`, problems);
  }

  /** Another server must serve the same from the same files. */
  private async openCopy(name: string, kind: ServerKind, dataDir: string, expected: Dump): Promise<void> {
    if (this.refused.has(kind)) return;
    const [clientPort, peerPort] = await freePorts(2);
    if (clientPort === undefined || peerPort === undefined) throw new Error('no free ports');
    let server: RunningServer;
    try {
      server = await launch({ kind, dataDir, clientPort, peerPort });
    } catch (error) {
      if (errorText(error).includes(DOWNGRADE_REFUSAL)) this.refuse(name, kind);
      else this.report.fail(name, errorText(error));
      return;
    }
    const connection = connect(server);
    try {
      const found = await dump(connection);
      const problems = compareDumps(expected, found, kind !== 'etcd34' && this.options.serverUnderTest !== 'etcd34');
      if (problems.includes('keys differ')) problems.push(unifiedDiff(expected.keys, found.keys));
      const written = await connection.unary('KV.Put', { key: Buffer.from('after'), value: Buffer.from('opened') });
      if (!written.ok) problems.push(`cannot write to it: ${written.details}`);
      this.verdict(name, problems);
    } finally {
      connection.close();
      await server.kill();
    }
  }

  /** An older etcd refuses, by its own rule, a directory whose cluster version is above its own. */
  private refuse(name: string, kind: ServerKind): void {
    this.refused.add(kind);
    this.report.skip(
      name,
      `${kind} does not open directories of a higher cluster version; not tried again in this run`,
    );
  }

  private verdict(name: string, problems: readonly string[]): void {
    if (problems.length === 0) this.report.pass(name);
    else this.report.fail(name, problems.join('\n'));
  }
}

function ownKeys(state: State, prefix: string): State {
  return new Map([...state].filter(([key]) => key.startsWith(prefix)));
}

function describeLoss(worker: Worker, found: State, after: State | undefined): string {
  const before = unifiedDiff(showState(worker.state), showState(found));
  const lines = [
    `keys ${worker.prefix} are neither as before nor as after the request in flight`,
    'against before:',
    before,
  ];
  if (after !== undefined) lines.push('against after:', unifiedDiff(showState(after), showState(found)));
  return lines.join('\n');
}

export async function runKillSuite(options: Options, report: Report): Promise<void> {
  await new KillSuite(options, report).run();
}
