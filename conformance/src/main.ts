import { runClientsSuite } from './clients.ts';
import { runChaosSuite } from './cluster/chaos-suite.ts';
import { runMixedSuite } from './cluster/mixed-suite.ts';
import { runPartitionSuite } from './cluster/partition-suite.ts';
import { runEtcd3Suite } from './etcd3-client.ts';
import { runFlagsSuite } from './flags/suite.ts';
import { runGatewaySuite } from './gateway/suite.ts';
import { runAuthSuite } from './grpc/auth-suite.ts';
import { runGrpcSuite } from './grpc/suite.ts';
import { runWatchSuite } from './grpc/watch-suite.ts';
import { runKillSuite } from './kill/suite.ts';
import { runMetricsSuite } from './metrics/suite.ts';
import { type Options, parseOptions, type SuiteName, usage } from './options.ts';
import { runProxySuite } from './proxy/proxy-suite.ts';
import { runStartSuite } from './start/suite.ts';
import { runEtcdctlSuite } from './steps/suite.ts';
import { buildMissingPrograms } from './support/build-go.ts';
import { serverProgram } from './support/programs.ts';
import { Report } from './support/report.ts';
import { cleanUp } from './support/server.ts';
import { errorText } from './support/text.ts';
import { runTlsSuite } from './tls/suite.ts';
import { runTracingSuite } from './tracing/suite.ts';
import { runUpkeepSuite } from './upkeep/suite.ts';

type Suite = (options: Options, report: Report) => Promise<void>;

const suites: Partial<Record<SuiteName, Suite>> = {
  etcdctl: runEtcdctlSuite,
  grpc: runGrpcSuite,
  watch: runWatchSuite,
  auth: runAuthSuite,
  gateway: runGatewaySuite,
  metrics: runMetricsSuite,
  etcd3: runEtcd3Suite,
  clients: runClientsSuite,
  proxy: runProxySuite,
  flags: runFlagsSuite,
  start: runStartSuite,
  kill: runKillSuite,
  chaos: runChaosSuite,
  partition: runPartitionSuite,
  mixed: runMixedSuite,
  upkeep: runUpkeepSuite,
  tls: runTlsSuite,
  tracing: runTracingSuite,
};

async function runSuites(options: Options, report: Report): Promise<void> {
  const underTest = serverProgram(options.serverUnderTest);
  for (const name of options.suites) {
    const began = Date.now();
    const suite = suites[name];
    if (suite === undefined) continue;
    if (!underTest.found) {
      report.skip(`suite ${name}`, underTest.reason);
      continue;
    }
    try {
      await suite(options, report);
    } catch (error) {
      report.fail(`suite ${name}`, errorText(error));
    }
    report.note(`suite ${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }
}

async function main(): Promise<number> {
  let options: Options | undefined;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${errorText(error)}\n${usage}`);
    return 2;
  }
  if (options === undefined) {
    console.log(usage);
    return 0;
  }
  const report = new Report(options.verbose);
  const keep = options.keep;
  // However the run ends, an uncaught error included, no server is left behind.
  process.once('exit', () => cleanUp(keep));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  buildMissingPrograms(report);
  await runSuites(options, report);
  return report.finish();
}

process.exit(await main());
