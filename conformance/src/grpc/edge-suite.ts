import type { Options } from '../options.ts';
import type { Report } from '../support/report.ts';
import { edgeCases } from './edge-cases.ts';
import { runPart } from './pair.ts';

/** The fixed edge cases, group after group on one pair of servers. */
export async function runEdgePart(options: Options, report: Report, directory: string): Promise<void> {
  await runPart('grpc edges', options, report, directory, [], async (pair) => {
    for (const [group, cases] of edgeCases) {
      for (const { name, method, request, ok, metadata, masked } of cases) {
        await pair.unary(`${group}: ${name}`, method, request, {
          expectOk: ok,
          ...(metadata === undefined ? {} : { metadata }),
          ...(masked === undefined ? {} : { masked }),
        });
      }
    }
  });
}
