import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalAnswer } from '../grpc/canonical.ts';
import type { Connection } from '../grpc/connection.ts';
import { loadMethods } from '../grpc/services.ts';
import type { Options } from '../options.ts';
import { Cluster } from '../support/cluster.ts';
import type { ServerKind } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { ask } from './http-client.ts';
import { compareSayings, type Sayings } from './sayings.ts';
import { showAnswer, sortedLines } from './show-answer.ts';

const WAIT_MS = 5_000;
const healthPaths = [
  '/health',
  '/health?serializable=true',
  '/livez?verbose',
  '/readyz?verbose',
  '/readyz/non_learner',
];
/** Answered by a learner, each in its own words. */
const answered: ReadonlySet<string> = new Set(['Maintenance.Status', 'Maintenance.Snapshot']);

/** How a stream of a learner begins or ends. */
async function streamSaying(connection: Connection, method: string): Promise<string> {
  const call = connection.duplex(method);
  call.send({});
  await call.until(() => call.received.length > 0, WAIT_MS);
  const said = call.end === undefined ? 'is served' : `${call.end.code} ${call.end.details}`;
  call.cancel();
  return said;
}

/** What a learner says to each kind of call, and of its health. */
async function whatIsSaid(kind: ServerKind, directory: string): Promise<Sayings> {
  const cluster = await Cluster.start({ kinds: [kind], directory });
  const said = new Map<string, string>();
  try {
    const learner = await cluster.grow(kind, { learner: true });
    await cluster.waitHealthy();
    for (const [name, { requestStream, responseStream }] of loadMethods()) {
      if (answered.has(name)) continue;
      const isStream = requestStream || responseStream;
      const saying = isStream
        ? await streamSaying(learner.connection, name)
        : canonicalAnswer(await learner.call(name, {}, WAIT_MS));
      said.set(name, saying);
    }
    for (const path of healthPaths) {
      const answer = await ask(learner.endpoint, { method: 'GET', path });
      said.set(path, showAnswer(answer, { showBody: sortedLines }));
    }
    return said;
  } finally {
    await cluster.close();
  }
}

export function runLearner(options: Options, report: Report, directory: string): Promise<void> {
  return compareSayings('gateway: a learner', options, report, (kind) =>
    whatIsSaid(kind, mkdtempSync(join(directory, `learner-${kind}-`))),
  );
}
