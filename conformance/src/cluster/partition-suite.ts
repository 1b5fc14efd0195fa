import { type Random, SeededRandom } from '@quorate/base';
import type { Message } from '../grpc/services.ts';
import type { Options } from '../options.ts';
import { Cluster, ELECTION_TIMEOUT_MS } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { PeerNetwork } from '../support/peer-network.ts';
import type { Report } from '../support/report.ts';
import { removeScratchDir, scratchDir } from '../support/server.ts';
import { errorText, sleep, waitUntil } from '../support/text.ts';
import { checkData, checkMembers, verdict } from './checks.ts';
import {
  apply,
  type Cut,
  checkDoomedAnswers,
  cuts,
  type DoomedWrite,
  QUICK_CUTS,
  silencesLeader,
  timeToNewLeader,
  writeDoomed,
} from './cut.ts';
import { Ledger } from './ledger.ts';
import { type ReadCounts, Registers, readRegisters, writeRegisters } from './registers.ts';

const MEMBERS = 3;
const WRITERS = 4;
const SETTLE_MS = 1000;
/** A follower campaigns one to two election time-outs after it last heard of the leader. */
const ELECTION_MS_MAX = 2 * ELECTION_TIMEOUT_MS;
/** One election in about ten splits the votes of two followers and is repeated. */
const SPLIT_ELECTION_MS_MAX = 2 * ELECTION_MS_MAX;
/** A leader that is still heard has to notice first that it hears nobody: a time-out or two more. */
const DEAF_LEADER_MS_MAX = 2 * ELECTION_MS_MAX + ELECTION_TIMEOUT_MS;
const REJOIN_MS_MAX = 30_000;

class PartitionRun {
  private readonly report: Report;
  private readonly cluster: Cluster;
  private readonly network: PeerNetwork;
  private readonly random: Random;
  private readonly ledger = new Ledger();
  private readonly registers = new Registers();
  /** Those that are not cut off at the moment. */
  private reachable: readonly ClusterMember[];
  private readonly elections: number[] = [];
  /** Writes that were never committed: they must not be there in the end. */
  private readonly neverCommitted: string[] = [];

  constructor(report: Report, cluster: Cluster, network: PeerNetwork, random: Random) {
    this.report = report;
    this.cluster = cluster;
    this.network = network;
    this.random = random;
    this.reachable = cluster.members;
  }

  /** Plays one cut after the other under load until the time is over, each at least once. */
  async run(name: string, chosen: readonly Cut[], endMs: number): Promise<void> {
    let stopping = false;
    const stop = (): boolean => stopping;
    const members = (): readonly ClusterMember[] => this.reachable;
    const writing = Array.from({ length: WRITERS }, (_, index) =>
      writeRegisters(`w${index}`, this.registers, this.ledger, this.fork(), members, stop),
    );
    let played = 0;
    try {
      do {
        const cut = chosen[played % chosen.length] as Cut;
        await this.play(`${name} ${++played}, ${cut.name}`, cut);
      } while (played < chosen.length || Date.now() < endMs);
    } finally {
      this.network.heal();
      this.reachable = this.cluster.members;
      stopping = true;
      await Promise.all(writing);
    }
    await this.finish(name);
  }

  private fork(): Random {
    return new SeededRandom(this.random.nextUint32());
  }

  private async play(name: string, cut: Cut): Promise<void> {
    const { report, cluster, network } = this;
    await cluster.waitHealthy();
    const leader = await cluster.waitLeader();
    const victim = cut.victim === 'leader' ? leader : (cluster.others(leader)[0] as ClusterMember);
    const term = (await leader.status())?.term;
    const reads = this.startReads();
    await sleep(SETTLE_MS);

    this.reachable = cluster.others(victim);
    apply(cut, network, victim, leader);
    const doomed = writeDoomed(victim, `doomed ${name}`);
    const elected = cut.victim === 'leader' ? timeToNewLeader(cluster, this.reachable, victim) : undefined;
    const tookMs = await elected?.catch(() => Number.POSITIVE_INFINITY);
    const writesBefore = this.ledger.acknowledged;
    const failed = await doomed;
    const committed = this.ledger.acknowledged - writesBefore;
    network.heal();

    const rejoinedMs = await this.timeToRejoin(victim);
    this.reachable = cluster.members;
    await sleep(SETTLE_MS);
    const { problems, text } = await reads();
    const election = tookMs === undefined ? '' : `new leader after ${tookMs} ms, `;
    report.note(`${name}: ${election}${committed} writes at the others; back ${rejoinedMs} ms after healing; ${text}`);

    if (tookMs !== undefined) this.checkElection(name, cut, tookMs);
    else await this.checkUndisturbed(name, leader, term);
    verdict(report, `${name}: the others go on`, committed > 0 ? [] : ['no write was acknowledged']);
    verdict(report, `${name}: writes at the one cut off fail as they should`, checkDoomedAnswers(failed));
    verdict(report, `${name}: linearizable reads`, problems.slice(0, 10));
    verdict(report, `${name}: it rejoins`, rejoinedMs <= REJOIN_MS_MAX ? [] : [`not within ${REJOIN_MS_MAX} ms`]);
    if (cut.victim === 'leader' && cut.direction === 'both') this.neverCommitted.push(...failed.map(({ key }) => key));
    else this.allowLate(failed);
  }

  /** Readers at every member, those cut off included; ended by the function returned. */
  private startReads(): () => Promise<{ problems: string[]; text: string }> {
    let stopping = false;
    const stop = (): boolean => stopping;
    const problems: string[] = [];
    const linearizable: ReadCounts = { answered: 0, failed: 0, stale: 0 };
    const serializable: ReadCounts = { answered: 0, failed: 0, stale: 0 };
    const reading = this.cluster.members.flatMap((member) => [
      readRegisters(member, false, this.registers, this.fork(), linearizable, problems, stop),
      readRegisters(member, false, this.registers, this.fork(), linearizable, problems, stop),
      readRegisters(member, true, this.registers, this.fork(), serializable, problems, stop),
    ]);
    return async () => {
      stopping = true;
      await Promise.all(reading);
      const text =
        `${linearizable.answered} linearizable reads and ${linearizable.failed} refused, ` +
        `${serializable.answered} serializable ones, ${serializable.stale} of them stale`;
      if (serializable.failed > 0) problems.push(`${serializable.failed} serializable reads failed`);
      return { problems, text };
    };
  }

  private async timeToRejoin(victim: ClusterMember): Promise<number> {
    const began = Date.now();
    await waitUntil('', REJOIN_MS_MAX, () => victim.isHealthy()).catch(() => undefined);
    return Date.now() - began;
  }

  private checkElection(name: string, cut: Cut, tookMs: number): void {
    const isSilent = silencesLeader(cut);
    const maxMs = isSilent ? SPLIT_ELECTION_MS_MAX : DEAF_LEADER_MS_MAX;
    if (isSilent) this.elections.push(tookMs);
    verdict(this.report, `${name}: a new leader`, tookMs <= maxMs ? [] : [`not within ${maxMs} ms: ${tookMs} ms`]);
  }

  /** With pre-vote a follower that hears nobody does not unseat the leader, neither while it is away nor on its return. */
  private async checkUndisturbed(name: string, leader: ClusterMember, term: number | undefined): Promise<void> {
    if (leader.kind === 'etcd34') return;
    const now = await leader.status();
    const problem = `${leader.name} led at term ${term}; now the term is ${now?.term}`;
    verdict(this.report, `${name}: the leader stays`, now?.term === term ? [] : [problem]);
  }

  /** These may have been committed after all: their proposals, or entries, were on the way. */
  private allowLate(writes: readonly DoomedWrite[]): void {
    for (const { key } of writes) this.ledger.allow('doomed', [{ key, value: 'doomed' }]);
  }

  private async finish(name: string): Promise<void> {
    const { report, cluster, ledger } = this;
    await cluster.waitHealthy();
    report.note(`${name}: ${ledger.acknowledged} writes acknowledged\n  ${ledger.showFailures()}`);
    verdict(report, `${name}: failures are explained by the cuts`, ledger.unexplained.slice(0, 10));
    verdict(report, `${name}: members`, await checkMembers(cluster));
    await this.checkNeverCommitted(name);
    const sorted = [...this.elections].sort((left, right) => left - right);
    const median = sorted[Math.floor((sorted.length - 1) / 2)];
    if (median !== undefined) {
      report.note(
        `${name}: elections after a silent leader took ${sorted.join(', ')} ms (time-out ${ELECTION_TIMEOUT_MS} ms)`,
      );
      const problems = median <= ELECTION_MS_MAX ? [] : [`the median is ${median} ms, above ${ELECTION_MS_MAX} ms`];
      verdict(report, `${name}: new leaders within two election time-outs`, problems);
    }
    await checkData(report, name, cluster, ledger);
  }

  private async checkNeverCommitted(name: string): Promise<void> {
    const problems: string[] = [];
    for (const key of this.neverCommitted) {
      const answer = await this.cluster.members[0]?.call('KV.Range', { key: Buffer.from(key) }, 5000);
      if (answer?.ok !== true) problems.push(`${key}: ${answer?.details}`);
      else if ((answer.message.kvs as Message[]).length > 0) problems.push(`${key} is there`);
    }
    verdict(this.report, `${name}: writes at a leader that was alone are not there`, problems);
  }
}

/** A cluster whose network is broken under load: elections, stale reads, writes that cannot be committed. */
export async function runPartitionSuite(options: Options, report: Report): Promise<void> {
  const isQuick = options.minutes === 0;
  const chosen = (isQuick ? cuts.slice(0, QUICK_CUTS) : cuts).filter(({ name }) => name.includes(options.filter));
  if (chosen.length === 0) return;
  const name = `partition seed ${options.seed}`;
  const directory = scratchDir('partition');
  const network = new PeerNetwork();
  let cluster: Cluster | undefined;
  try {
    const kinds = Array.from({ length: MEMBERS }, () => options.serverUnderTest);
    cluster = await Cluster.start({ kinds, directory, network });
    const run = new PartitionRun(report, cluster, network, new SeededRandom(options.seed));
    await run.run(name, chosen, Date.now() + options.minutes * 60_000);
  } catch (error) {
    report.fail(name, `${errorText(error)}\n${cluster?.logTails() ?? ''}`);
  } finally {
    await cluster?.close();
    if (!options.keep) removeScratchDir(directory);
  }
}
