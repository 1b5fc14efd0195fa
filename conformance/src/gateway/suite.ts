import { allMethods } from '@quorate/api';
import { runPart } from '../grpc/pair.ts';
import { type Options, referencesOf } from '../options.ts';
import type { Report } from '../support/report.ts';
import { scratchDir } from '../support/server.ts';
import { runAccess, runListeners, runWithoutGateway } from './flags-part.ts';
import { runHttpListener } from './http-listener-part.ts';
import { HttpPair } from './http-pair.ts';
import { runHealth, runJsonForms, runPages, runPaths, runRequestsPage } from './http-part.ts';
import { runLeaderless } from './leaderless-part.ts';
import { runLearner } from './learner-part.ts';
import { coveredPaths, runAuth, runLockRoutes, runRoutes } from './routes-part.ts';
import { runSecure } from './secure-part.ts';
import { runStreams, runWebSockets } from './stream-part.ts';

type Body = (http: HttpPair) => Promise<void>;

const parts: readonly (readonly [name: string, body: Body, extraArgs?: readonly string[]])[] = [
  ['routes', runRoutes],
  ['auth', runAuth],
  ['JSON forms', runJsonForms],
  ['paths and methods', runPaths],
  ['health', runHealth],
  ['pages', runPages],
  ['requests', runRequestsPage, ['--log-level=debug']],
  ['streams', runStreams],
  ['WebSockets', runWebSockets],
  ['access', runAccess, ['--cors=http://a:1,https://b:2', '--host-whitelist=example.com,127.0.0.1']],
  ['no gateway', runWithoutGateway, ['--enable-grpc-gateway=false']],
];

/** Parts that etcd 3.4 is a reference for, too; the others have more that changed since than that stayed. */
const partsOf34: ReadonlySet<string> = new Set([
  'routes',
  'JSON forms',
  'paths and methods',
  'health',
  'streams',
  'access',
]);

/** All that is spoken over HTTP on the client port. */
export async function runGatewaySuite(options: Options, report: Report): Promise<void> {
  const directory = scratchDir('gateway');
  checkCoverage(report);
  for (const reference of referencesOf(options)) {
    for (const [name, body, extraArgs = []] of parts) {
      if (reference === 'etcd34' && !partsOf34.has(name)) continue;
      const part = reference === 'etcd34' ? `gateway: etcd 3.4: ${name}` : `gateway: ${name}`;
      await runPart(part, { ...options, reference }, report, directory, extraArgs, (pair) => body(new HttpPair(pair)));
    }
  }
  await runListeners(options, report, directory);
  await runHttpListener(options, report, directory);
  await runSecure(options, report, directory);
  await runLeaderless(options, report, directory);
  await runLearner(options, report, directory);
  await runPart('gateway: locks and elections', options, report, directory, [], (pair) =>
    runLockRoutes(new HttpPair(pair)),
  );
}

function checkCoverage(report: Report): void {
  const covered = coveredPaths();
  const routes = allMethods.flatMap((method) => method.http.map(({ path }) => path));
  const missing = routes.filter((path) => !covered.has(path));
  if (missing.length === 0) report.pass('gateway: every route is asked for');
  else report.fail('gateway: every route is asked for', missing.join('\n'));
}
