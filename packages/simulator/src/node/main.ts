import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { drawScenario } from '../faults/draw-scenario.ts';
import { runScenario } from '../run.ts';
import type { Scenario } from '../scenario.ts';
import { readScenarioFile } from '../scenario-file.ts';
import { addTotals, describeTotals, noTotals } from '../totals.ts';
import { nodeEdge } from './edge.ts';
import { type Options, readOptions, usage } from './options.ts';
import type { FailedSeed, WorkerReport } from './worker.ts';
import { report, reportFaults, writeUp } from './write-up.ts';

// Whoever reads a trace need not read all of it: `| head`.
process.stdout.on('error', (error) => {
  if (!('code' in error) || error.code !== 'EPIPE') throw error;
  process.exit();
});

/** What the command line asks for; ends the process when that is not to be understood. */
function optionsOrUsage(): Options {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`sim: ${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}

function readScenario(path: string): Scenario {
  try {
    const { why, scenario } = readScenarioFile(readFileSync(path, 'utf8'));
    if (why !== '') console.log(why);
    return scenario;
  } catch (error) {
    console.error(`sim: cannot read ${path}: ${(error as Error).message}`);
    process.exit(2);
  }
}

async function runOne(scenario: Scenario, trace: boolean): Promise<boolean> {
  const startedMs = performance.now();
  const result = await runScenario(scenario, nodeEdge(trace ? (line) => process.stdout.write(line) : undefined));
  const tookMs = Math.round(performance.now() - startedMs);
  const counts = `${result.acknowledged} acknowledged, ${result.unknown} unknown, ${result.history.log.length} entries`;
  const world = `${Math.round(result.durationMs)} ms simulated in ${tookMs} ms, ${result.events} events`;
  console.log(`seed ${scenario.seed}: ${counts}, ${world}, trace ${result.traceHash}`);
  if (result.violations.length === 0) return true;
  report(result.violations);
  reportFaults(scenario.faults);
  return false;
}

/** Runs seeds in several threads; resolves with those that failed. */
async function runMany({ seeds, from: first, minutes, operations, jobs, stop }: Options): Promise<FailedSeed[]> {
  const startedMs = performance.now();
  const endMs = minutes === undefined ? undefined : startedMs + minutes * 60_000;
  const last = endMs === undefined ? first + seeds - 1 : Number.MAX_SAFE_INTEGER;
  const totals = noTotals();
  const failed: FailedSeed[] = [];
  let next = first;
  let isStopped = false;
  const feed = async () => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: { operations } });
    while (next <= last && !isStopped && !(endMs !== undefined && performance.now() > endMs)) {
      worker.postMessage(next++);
      const [answer] = (await once(worker, 'message')) as [WorkerReport];
      addTotals(totals, answer.totals);
      if (answer.violations.length === 0) continue;
      failed.push(answer);
      if (stop) isStopped = true;
    }
    await worker.terminate();
  };
  await Promise.all(Array.from({ length: jobs }, feed));
  console.log(describeTotals(totals));
  const tookSeconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  failed.sort((a, b) => a.seed - b.seed);
  const which = failed.length === 0 ? '' : `: ${failed.map(({ seed }) => seed).join(', ')}`;
  console.log(`${failed.length} seeds failed of ${first} to ${next - 1}, in ${tookSeconds} s${which}`);
  return failed;
}

const options = optionsOrUsage();
const { seed, scenario, operations, trace, stop, out } = options;
if (options.help) {
  console.log(usage);
} else if (seed !== undefined || scenario !== undefined) {
  const chosen = scenario === undefined ? drawScenario(seed as number, { operations }) : readScenario(scenario);
  if (!(await runOne(chosen, trace))) process.exitCode = 1;
} else {
  const failed = await runMany(options);
  for (const one of failed) {
    if (stop) console.log(`seed ${one.seed} ${one.violations[0]?.checker}: ${one.violations[0]?.text}`);
    else await writeUp(drawScenario(one.seed, { operations }), one.violations, out);
  }
  if (failed.length > 0) process.exitCode = 1;
}
