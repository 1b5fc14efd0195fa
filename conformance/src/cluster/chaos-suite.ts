import { nextBelow, SeededRandom } from '@quorate/base';
import type { Options } from '../options.ts';
import { Cluster, snapshotArgs } from '../support/cluster.ts';
import type { Report } from '../support/report.ts';
import { removeScratchDir, scratchDir } from '../support/server.ts';
import { errorText, waitUntil } from '../support/text.ts';
import { checkData, checkMembers, verdict } from './checks.ts';
import { Faults } from './faults.ts';
import { Ledger } from './ledger.ts';
import { Writer } from './writer.ts';

const SIZES = [3, 5];
const WRITERS = 10;
const ROUND_MS = 60_000;
const QUICK_ROUND_MS = 12_000;
const ACKNOWLEDGED_MIN = 5000;
const QUICK_ACKNOWLEDGED_MIN = 1000;
/** What a slow machine gets to reach the number of acknowledged writes once all members are back. */
const CATCH_UP_MS = 60_000;
/** A round writes no more than this: its history is read from every member. */
const ACKNOWLEDGED_MAX = 60_000;

interface Length {
  readonly roundMs: number;
  readonly acknowledgedMin: number;
}

class ChaosRound {
  private readonly name: string;
  private readonly cluster: Cluster;
  private readonly report: Report;
  private readonly random: SeededRandom;
  private readonly ledger = new Ledger();
  private readonly faults: Faults;

  constructor(name: string, cluster: Cluster, report: Report, random: SeededRandom) {
    this.name = name;
    this.cluster = cluster;
    this.report = report;
    this.random = random;
    this.faults = new Faults(cluster, new SeededRandom(random.nextUint32()));
  }

  async run(length: Length): Promise<void> {
    let stopping = false;
    const stop = (): boolean => stopping || this.ledger.acknowledged >= ACKNOWLEDGED_MAX;
    const connections = () => this.cluster.running.map(({ connection }) => connection);
    const writing = Array.from({ length: WRITERS }, (_, index) =>
      new Writer(`w${index}`, new SeededRandom(this.random.nextUint32()), this.ledger).run(connections, stop),
    );
    try {
      await this.faults.run(Date.now() + length.roundMs);
      await this.cluster.waitHealthy();
      const enough = (): boolean => this.ledger.acknowledged >= length.acknowledgedMin;
      await waitUntil(`${length.acknowledgedMin} acknowledged writes`, CATCH_UP_MS, enough);
    } catch (error) {
      const diary = this.faults.diary.join('\n');
      this.report.fail(
        `${this.name}: all members come back`,
        `${errorText(error)}\n${diary}\n${this.cluster.logTails()}`,
      );
      return;
    } finally {
      stopping = true;
      await Promise.all(writing);
    }
    await this.check();
  }

  private async check(): Promise<void> {
    const { ledger, faults, report, name, cluster } = this;
    const unknown = ledger.writes.length - ledger.acknowledged;
    report.note(
      `${name}: ${faults.kills} kills, ${faults.wipes} members begun anew, ${ledger.acknowledged} writes acknowledged, ` +
        `${unknown} unknown; longest pause of a writer ${ledger.longestGapMs} ms\n  ${ledger.showFailures()}`,
    );
    verdict(report, `${name}: failures are explained by the faults`, ledger.unexplained.slice(0, 10));
    const before = report.failureCount;
    verdict(report, `${name}: all members come back`, await checkMembers(cluster));
    await checkData(report, name, cluster, ledger);
    const compacted = await this.compact();
    verdict(report, `${name}: hashes of all members after a compaction`, compacted);
    if (report.failureCount > before) report.note(faults.diary.join('\n'));
  }

  private async compact(): Promise<string[]> {
    const revision = this.ledger.latestRevision - nextBelow(this.random, 100);
    const answer = await this.cluster.members[0]?.call('KV.Compact', { revision, physical: true }, 10_000);
    if (answer?.ok !== true) return [`compaction at ${revision}: ${answer?.details}`];
    return this.cluster.compareHashes();
  }
}

/** Clusters under load whose members are killed, restarted, and begun anew without their data. */
export async function runChaosSuite(options: Options, report: Report): Promise<void> {
  const isQuick = options.minutes === 0;
  const length: Length = isQuick
    ? { roundMs: QUICK_ROUND_MS, acknowledgedMin: QUICK_ACKNOWLEDGED_MIN }
    : { roundMs: ROUND_MS, acknowledgedMin: ACKNOWLEDGED_MIN };
  const rounds = isQuick ? SIZES.length : Math.max(SIZES.length, options.minutes);
  const random = new SeededRandom(options.seed);
  for (let round = 1; round <= rounds; round++) {
    const size = SIZES[(round - 1) % SIZES.length] ?? 3;
    const name = `chaos seed ${options.seed} round ${round} of ${size} members`;
    // Drawn for those left out too, so that a round alone is what it was among the others.
    const roundRandom = new SeededRandom(random.nextUint32());
    if (!name.includes(options.filter)) continue;
    const directory = scratchDir('chaos');
    let cluster: Cluster | undefined;
    try {
      const kinds = Array.from({ length: size }, () => options.serverUnderTest);
      // Snapshots soon, so that those that were away are caught up by them as often as by the log.
      cluster = await Cluster.start({ kinds, directory, extraArgs: (kind) => snapshotArgs(kind, 500, 100) });
      await new ChaosRound(name, cluster, report, roundRandom).run(length);
    } catch (error) {
      report.fail(name, `${errorText(error)}\n${cluster?.logTails() ?? ''}`);
    } finally {
      await cluster?.close();
      if (!options.keep) removeScratchDir(directory);
    }
  }
}
