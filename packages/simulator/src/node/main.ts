import { readFileSync } from 'node:fs';
import { crashPoints, withoutFaults } from '../crash-points.ts';
import { drawScenario } from '../faults/draw-scenario.ts';
import { runScenario } from '../run.ts';
import type { Scenario } from '../scenario.ts';
import { readScenarioFile } from '../scenario-file.ts';
import { describeTotals } from '../totals.ts';
import { nodeEdge } from './edge.ts';
import { type Options, readOptions, usage } from './options.ts';
import { type FailedRun, runMany } from './run-many.ts';
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

function* drawnFrom(first: number, count: number): Generator<Scenario> {
  for (let seed = first; seed < first + count; seed++) yield drawScenario(seed, { operations });
}

/** Plays them all, and writes up those that fail under their names; `noun` says what they are, in the plural. */
async function runAll(
  scenarios: Iterator<Scenario>,
  noun: string,
  nameOf: (failed: FailedRun) => string,
): Promise<boolean> {
  const endMs = minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + minutes * 60_000;
  const mayGoOn = (failures: number) => performance.now() < endMs && !(stop && failures > 0);
  const { totals, failed, tookMs } = await runMany(scenarios, jobs, mayGoOn);
  console.log(describeTotals(totals));
  const which = failed.length === 0 ? '' : `: ${failed.map(nameOf).join(', ')}`;
  console.log(`${failed.length} of ${totals.runs} ${noun} failed, in ${(tookMs / 1000).toFixed(1)} s${which}`);
  for (const one of failed) {
    if (stop) console.log(`${nameOf(one)} ${one.violations[0]?.checker}: ${one.violations[0]?.text}`);
    else await writeUp(nameOf(one), one, out);
  }
  return failed.length === 0;
}

const nameOfSeed = ({ scenario }: FailedRun) => `seed-${scenario.seed}`;
const nameOfCrash = ({ scenario, place }: FailedRun) => `seed-${scenario.seed}-crash-${place}`;

/** The work of a scenario, with a crash at each place in turn. */
async function runCrashes(drawn: Scenario, stride: number): Promise<boolean> {
  const scenario = withoutFaults(drawn);
  const { steps, violations } = await runScenario(scenario, nodeEdge());
  report(violations);
  const passed = await runAll(crashPoints(scenario, steps, stride), 'crashes', nameOfCrash);
  return passed && violations.length === 0;
}

function runAsAsked(): Promise<boolean> {
  const { scenario, seed, everyCrash, from, seeds } = options;
  if (scenario !== undefined) return runOne(readScenario(scenario), options.trace);
  if (seed === undefined) {
    const count = minutes === undefined ? seeds : Number.MAX_SAFE_INTEGER;
    return runAll(drawnFrom(from, count), 'seeds', nameOfSeed);
  }
  const drawn = drawScenario(seed, { operations });
  return everyCrash === undefined ? runOne(drawn, options.trace) : runCrashes(drawn, everyCrash);
}

const options = optionsOrUsage();
const { operations, minutes, jobs, stop, out } = options;
if (options.help) console.log(usage);
else if (!(await runAsAsked())) process.exitCode = 1;
