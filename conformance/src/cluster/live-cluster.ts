import { SeededRandom } from '@quorate/base';
import type { Message } from '../grpc/services.ts';
import { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import type { ServerKind } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { removeScratchDir, scratchDir } from '../support/server.ts';
import { sleep, waitUntil } from '../support/text.ts';
import { checkData, checkMembers, verdict } from './checks.ts';
import { Ledger } from './ledger.ts';
import { WatchLog } from './watch-log.ts';
import { Writer } from './writer.ts';

const WRITERS = 3;
const WRITER_PAUSE_MS = 15;
const WRITES_PER_LEADER = 150;
/** Enough for a call that is lost (3 s), an election that is repeated, and a busy machine. */
const GAP_MS_MAX = 12_000;
/** How long a member may refuse while the leader changes. */
const ONE_CALL_MS_MAX = 8000;
const RETRY_MS = 50;

export interface LiveOptions {
  readonly kinds: readonly ServerKind[];
  readonly underTest: ServerKind;
  readonly seed: number;
  readonly keep: boolean;
  readonly extraArgs?: (kind: ServerKind) => readonly string[];
}

/** A cluster with clients that write and watch all the time, whatever is done to its members. */
export class LiveCluster {
  readonly name: string;
  readonly cluster: Cluster;
  readonly report: Report;
  readonly underTest: ServerKind;
  private readonly directory: string;
  private readonly keep: boolean;
  private readonly ledger = new Ledger();
  private readonly watchers: WatchLog[] = [];
  private readonly writing: Promise<void>[];
  private stopping = false;
  private putsMade = 0;
  /** Members no client may use at the moment. */
  private readonly avoided = new Set<ClusterMember>();

  private constructor(name: string, cluster: Cluster, report: Report, directory: string, options: LiveOptions) {
    this.name = name;
    this.cluster = cluster;
    this.report = report;
    this.directory = directory;
    this.keep = options.keep;
    this.underTest = options.underTest;
    for (const member of cluster.members) this.watchAt(member);
    const random = new SeededRandom(options.seed);
    const connections = () => this.usable().map(({ connection }) => connection);
    this.writing = Array.from({ length: WRITERS }, (_, index) =>
      new Writer(`w${index}`, new SeededRandom(random.nextUint32()), this.ledger, WRITER_PAUSE_MS).run(
        connections,
        () => this.stopping,
      ),
    );
  }

  static async start(name: string, report: Report, options: LiveOptions): Promise<LiveCluster> {
    const directory = scratchDir('mixed');
    const { kinds, extraArgs = () => [] } = options;
    const cluster = await Cluster.start({ kinds, directory, extraArgs });
    return new LiveCluster(name, cluster, report, directory, options);
  }

  private usable(): ClusterMember[] {
    return this.cluster.running.filter((member) => !this.avoided.has(member));
  }

  watchAt(member: ClusterMember): void {
    this.watchers.push(new WatchLog(member, () => this.usable()));
  }

  /** Adds a learner and promotes it; clients leave it alone until it is a voter. */
  async addVoterByLearner(kind: ServerKind): Promise<void> {
    const learner = await this.cluster.grow(kind, { learner: true }, (member) => this.avoid(member));
    await this.cluster.promote(learner);
    this.use(learner);
    this.watchAt(learner);
  }

  /** Clients leave a member alone: a learner, or one that is about to stop. */
  avoid(member: ClusterMember): void {
    this.avoided.add(member);
  }

  use(member: ClusterMember): void {
    this.avoided.delete(member);
  }

  /** Every member leads in turn; every member takes writes and reads meanwhile. */
  async leadInTurn(): Promise<void> {
    for (const leader of this.cluster.members) {
      await this.cluster.moveLeader(leader);
      const enough = this.ledger.acknowledged + WRITES_PER_LEADER;
      const problems = await this.writeAndReadEverywhere();
      await waitUntil('the writers', ONE_CALL_MS_MAX, () => this.ledger.acknowledged >= enough);
      verdict(this.report, `${this.name}: ${leader.name} (${leader.kind}) leads`, problems);
    }
  }

  private async writeAndReadEverywhere(): Promise<string[]> {
    const problems: string[] = [];
    for (const member of this.cluster.members) {
      const key = `each/${member.name}`;
      const value = await this.put(member, key);
      if (value === undefined) problems.push(`no write through ${member.name}`);
      for (const reader of this.cluster.members) {
        const found = await this.get(reader, key);
        if (value !== undefined && found !== value) problems.push(`${reader.name} reads ${found}, not ${value}`);
      }
    }
    return problems;
  }

  /** Puts through this member alone, again and again until it is acknowledged; the value that was. */
  async put(member: ClusterMember, key: string): Promise<string | undefined> {
    const deadline = Date.now() + ONE_CALL_MS_MAX;
    while (Date.now() < deadline) {
      const value = `value ${++this.putsMade}`;
      const answer = await this.ledger.send(member.connection, 'each', [{ key, value }]);
      if (answer.ok) return value;
      await sleep(RETRY_MS);
    }
    return undefined;
  }

  private async get(member: ClusterMember, key: string): Promise<string | undefined> {
    let found: string | undefined;
    const read = async (): Promise<boolean> => {
      const answer = await member.call('KV.Range', { key: Buffer.from(key) }, ONE_CALL_MS_MAX);
      if (!answer.ok) return false;
      const [kv] = answer.message.kvs as Message[];
      found = (kv?.value as Buffer | undefined)?.toString();
      return true;
    };
    await waitUntil(`a read at ${member.name}`, ONE_CALL_MS_MAX, read);
    return found;
  }

  /** Stops the clients and holds what is there against what they know. */
  async finish(): Promise<void> {
    const { report, name, cluster, ledger } = this;
    await this.stopWriting();
    await cluster.waitHealthy();
    report.note(
      `${name}: ${ledger.acknowledged} writes acknowledged, longest pause of a writer ${ledger.longestGapMs} ms, ` +
        `watchers went on elsewhere ${this.watchers.map(({ resumed }) => resumed).join(', ')} times\n  ${ledger.showFailures()}`,
    );
    verdict(report, `${name}: failed writes are explained by leader changes`, ledger.unexplained.slice(0, 10));
    const gap = ledger.longestGapMs <= GAP_MS_MAX ? [] : [`a writer had no answer for ${ledger.longestGapMs} ms`];
    verdict(report, `${name}: writers go on`, gap);
    verdict(report, `${name}: members`, await checkMembers(cluster));
    const history = await checkData(report, name, cluster, ledger);
    for (const watcher of this.watchers) {
      verdict(report, `${name}: ${watcher.name} lost and doubled nothing`, await watcher.finish(history));
    }
  }

  async stopWriting(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.writing);
  }

  async close(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.watchers.map((watcher) => watcher.stop()));
    await Promise.all(this.writing);
    await this.cluster.close();
    if (!this.keep) removeScratchDir(this.directory);
  }
}
