import type { Options } from '../options.ts';
import type { Report } from '../support/report.ts';
import { type EdgeCase, edgeCases } from './edge-cases.ts';
import { runPart } from './pair.ts';

/** The cases of a group but those that wait for later work, which are reported. */
function casesToSend(group: string, cases: readonly EdgeCase[], options: Options, report: Report): readonly EdgeCase[] {
  if (options.later) return cases;
  const awaited = cases.filter(({ later }) => later !== undefined);
  const work = awaited[0]?.later;
  if (work !== undefined) report.later(`grpc edges: ${group}`, `${awaited.length} cases`, work);
  return cases.filter(({ later }) => later === undefined);
}

/** The fixed edge cases, group after group on one pair of servers. */
export async function runEdgePart(options: Options, report: Report, directory: string): Promise<void> {
  await runPart('grpc edges', options, report, directory, [], async (pair) => {
    for (const [group, cases] of edgeCases) {
      for (const { name, method, request, ok, metadata, masked } of casesToSend(group, cases, options, report)) {
        await pair.unary(`${group}: ${name}`, method, request, {
          expectOk: ok,
          ...(metadata === undefined ? {} : { metadata }),
          ...(masked === undefined ? {} : { masked }),
        });
      }
    }
  });
}
