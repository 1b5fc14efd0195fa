import type { Options } from '../options.ts';
import { type ServerKind, serverProgram } from '../support/programs.ts';
import type { LaterWork, Report } from '../support/report.ts';
import { errorText } from '../support/text.ts';
import { LiveCluster } from './live-cluster.ts';
import { authParts } from './mixed-auth.ts';
import { leaseParts } from './mixed-leases.ts';
import { memberParts } from './mixed-members.ts';
import { rollingParts } from './mixed-rolling.ts';
import { snapshotParts } from './mixed-snapshots.ts';

/** What one part is run with. */
export interface MixedRun {
  /** The kind of etcd in this run, and the kind under test. */
  readonly goKind: ServerKind;
  readonly ours: ServerKind;
  readonly seed: number;
  /** Starts a cluster under clients, does something with it, and ends it. */
  with(
    kinds: readonly ServerKind[],
    body: (live: LiveCluster) => Promise<void>,
    extraArgs?: (kind: ServerKind) => readonly string[],
  ): Promise<void>;
}

export interface MixedPart {
  readonly name: string;
  /** Whether it belongs to the quick form. */
  readonly quick: boolean;
  readonly later?: LaterWork;
  readonly run: (run: MixedRun) => Promise<void>;
}

const parts: readonly MixedPart[] = [...memberParts, ...leaseParts, ...snapshotParts, ...authParts, ...rollingParts];

async function runPart(part: MixedPart, goKind: ServerKind, options: Options, report: Report): Promise<void> {
  const ours = options.serverUnderTest;
  const name = `mixed ${goKind} and ${ours}, ${part.name}`;
  if (!name.includes(options.filter)) return;
  if (part.later !== undefined && !options.later) {
    report.later(name, 'one part', part.later);
    return;
  }
  await part.run({
    goKind,
    ours,
    seed: options.seed,
    with: async (kinds, body, extraArgs = () => []) => {
      let live: LiveCluster | undefined;
      try {
        const { seed, keep } = options;
        live = await LiveCluster.start(name, report, { kinds, underTest: ours, seed, keep, extraArgs });
        await body(live);
      } catch (error) {
        report.fail(name, `${errorText(error)}\n${live?.cluster.logTails() ?? ''}`);
      } finally {
        await live?.close();
      }
    },
  });
}

/** Clusters of etcd members and members under test together. */
export async function runMixedSuite(options: Options, report: Report): Promise<void> {
  const isQuick = options.minutes === 0;
  for (const goKind of options.mixWith) {
    const program = serverProgram(goKind);
    if (!program.found) {
      report.skip(`mixed with ${goKind}`, program.reason);
      continue;
    }
    if ([goKind, options.serverUnderTest].sort().join() === 'etcd34,etcd37') {
      report.skip(`mixed with ${goKind}`, 'the real etcd 3.4 and 3.7 do not run in one cluster');
      continue;
    }
    for (const part of parts) if (part.quick || !isQuick) await runPart(part, goKind, options, report);
  }
}
