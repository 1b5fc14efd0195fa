import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { drawScenario } from '../faults/draw-scenario.ts';
import type { Violation } from '../history/history.ts';
import { runScenario } from '../run.ts';
import type { Scenario } from '../scenario.ts';
import { shrink } from '../shrink.ts';
import { addTotals, describeTotals, noTotals } from '../totals.ts';
import { nodeEdge } from './edge.ts';
import type { FailedSeed, WorkerReport } from './worker.ts';

const usage = `npm run sim -- [options]
  --seeds N      runs so many seeds (100)
  --from S       the first of them (1)
  --minutes M    goes on with further seeds for so long instead
  --seed S       one seed alone
  --scenario F   what is in a file that a failing run wrote
  --operations N operations of all clients together in a run (400)
  --jobs N       threads (2)
  --trace        with --seed or --scenario: prints all that happens
  --stop         ends with the first violation, without shrinking it
  --out FOLDER   where failing scenarios are written (simulator-failures)`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    scenario: { type: 'string' },
    operations: { type: 'string', default: '400' },
    jobs: { type: 'string', default: '2' },
    trace: { type: 'boolean', default: false },
    stop: { type: 'boolean', default: false },
    out: { type: 'string', default: 'simulator-failures' },
    help: { type: 'boolean', default: false },
  },
});

const operations = Number(values.operations);

function report(violations: readonly Violation[]): void {
  for (const { checker, text } of violations) console.log(`  VIOLATION ${checker}: ${text}`);
}

async function runOne(scenario: Scenario): Promise<boolean> {
  const startedMs = performance.now();
  const result = await runScenario(scenario, nodeEdge(values.trace ? (line) => process.stdout.write(line) : undefined));
  const tookMs = Math.round(performance.now() - startedMs);
  const counts = `${result.acknowledged} acknowledged, ${result.unknown} unknown, ${result.history.log.length} entries`;
  const world = `${Math.round(result.durationMs)} ms simulated in ${tookMs} ms, ${result.events} events`;
  console.log(`seed ${scenario.seed}: ${counts}, ${world}, trace ${result.traceHash}`);
  if (result.violations.length > 0) console.log(`  scenario ${JSON.stringify(scenario)}`);
  report(result.violations);
  return result.violations.length === 0;
}

/** Prints a failing seed, makes it smaller and writes it down. */
async function writeUp({ seed, violations }: FailedSeed): Promise<void> {
  const scenario = drawScenario(seed, { operations });
  console.log(`seed ${seed} fails; its faults: ${JSON.stringify(scenario.faults)}`);
  report(violations);
  const checker = violations[0]?.checker;
  if (checker === undefined) return;
  const shrunk = await shrink(scenario, checker, async (one) => (await runScenario(one, nodeEdge())).violations);
  if (shrunk === undefined) {
    console.log('  and does not fail again: something in it is not determined by the seed');
    return;
  }
  const path = join(values.out, `seed-${seed}.json`);
  mkdirSync(values.out, { recursive: true });
  writeFileSync(path, `${JSON.stringify(shrunk.scenario, null, 2)}\n`);
  const { faults, operations: left } = shrunk.scenario;
  console.log(`  shrunk by ${shrunk.runs} runs to ${left} operations and ${faults.length} faults, in ${path}:`);
  console.log(`  ${JSON.stringify(faults)}`);
  report(shrunk.violations);
}

/** Runs seeds in several threads; resolves with those that failed. */
async function runMany(): Promise<FailedSeed[]> {
  const startedMs = performance.now();
  const first = Number(values.from);
  const endMs = values.minutes === undefined ? undefined : startedMs + Number(values.minutes) * 60_000;
  const last = endMs === undefined ? first + Number(values.seeds) - 1 : Number.MAX_SAFE_INTEGER;
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
      if (values.stop) isStopped = true;
    }
    await worker.terminate();
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, feed));
  console.log(describeTotals(totals));
  console.log(
    `${failed.length} seeds failed of ${first} to ${next - 1}, in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
  );
  return failed.sort((a, b) => a.seed - b.seed);
}

if (values.help) {
  console.log(usage);
} else if (values.seed !== undefined || values.scenario !== undefined) {
  const scenario =
    values.scenario === undefined
      ? drawScenario(Number(values.seed), { operations })
      : (JSON.parse(readFileSync(values.scenario, 'utf8')) as Scenario);
  if (!(await runOne(scenario))) process.exitCode = 1;
} else {
  const failed = await runMany();
  for (const one of failed) {
    if (values.stop) console.log(`seed ${one.seed} ${one.violations[0]?.checker}: ${one.violations[0]?.text}`);
    else await writeUp(one);
  }
  if (failed.length > 0) process.exitCode = 1;
}
