import type { Options } from '../options.ts';
import type { Report } from '../support/report.ts';
import { scratchDir } from '../support/server.ts';
import { runEdgePart } from './edge-suite.ts';
import { runRandomPart } from './random-suite.ts';
import { runStreamParts } from './stream-suite.ts';

/** The raw gRPC suite: the same requests to both servers. */
export async function runGrpcSuite(options: Options, report: Report): Promise<void> {
  const directory = scratchDir('grpc');
  await runEdgePart(options, report, directory);
  await runRandomPart(options, report, directory);
  await runStreamParts(options, report, directory);
}
