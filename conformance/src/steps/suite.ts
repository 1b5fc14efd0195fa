import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '../options.ts';
import { unifiedDiff } from '../support/diff.ts';
import {
  type ClientVersion,
  conformanceDir,
  referenceOf,
  type ServerKind,
  serverProgram,
  toolProgram,
} from '../support/programs.ts';
import type { LaterWork, Report } from '../support/report.ts';
import { scratchDir } from '../support/server.ts';
import { errorText } from '../support/text.ts';
import { parseSteps, type Setup, type Step, type StepFile } from './parse.ts';
import { type Outcome, Player } from './player.ts';

interface Pair {
  readonly reference: Player;
  readonly underTest: Player;
}

async function play(player: Player, step: Exclude<Step, { kind: 'fresh' }>): Promise<Outcome> {
  switch (step.kind) {
    case 'run':
      return player.run(step);
    case 'start':
      return player.start(step);
    case 'input':
      return player.input(step);
    case 'wait':
      return player.wait(step);
    case 'end':
      return player.end(step);
    case 'member':
      return player.member(step);
    default:
      return step satisfies never;
  }
}

/** Why the reference itself shows that the step is wrong: a step must not pass because both servers fail alike. */
function referenceComplaint(step: Step, outcome: Outcome): string | undefined {
  if (step.kind === 'run' && outcome.exit !== 'timeout') {
    const failed = outcome.exit !== 0;
    if (failed === step.mustFail) return undefined;
    return `the reference was expected to ${step.mustFail ? 'fail' : 'succeed'}:\n${outcome.shown}`;
  }
  return outcome.exit === 'timeout' ? `the reference did not answer as the step says:\n${outcome.shown}` : undefined;
}

class FileRun {
  private readonly file: StepFile;
  private readonly client: ClientVersion;
  private readonly options: Options;
  private readonly report: Report;
  private readonly scratch: string;

  constructor(file: StepFile, client: ClientVersion, options: Options, report: Report, scratch: string) {
    this.file = file;
    this.client = client;
    this.options = options;
    this.report = report;
    this.scratch = scratch;
  }

  async run(): Promise<void> {
    const steps = this.stepsToPlay();
    if (steps.length === 0) return;
    let pair = await this.startPair(this.file.setup);
    try {
      for (const step of steps) {
        if (step.kind === 'fresh') {
          await closePair(pair);
          pair = await this.startPair(step.setup);
          continue;
        }
        await this.compare(pair, step);
      }
    } finally {
      await closePair(pair);
    }
  }

  /** Without those for another client; what waits for later work is reported, group by group. */
  private stepsToPlay(): Step[] {
    const steps: Step[] = [];
    const later = new Map<string, { work: LaterWork; count: number }>();
    for (const step of this.file.steps) {
      if (step.only !== undefined && step.only !== this.client) continue;
      if (step.later === undefined || this.options.later) {
        steps.push(step);
        continue;
      }
      const { count } = later.get(step.group) ?? { count: 0 };
      later.set(step.group, { work: step.later, count: count + 1 });
    }
    for (const [group, { work, count }] of later) {
      this.report.later(`etcdctl ${this.client} ${this.file.name} [${group}]`, `${count} steps`, work);
    }
    return steps;
  }

  private async startPair(setup: Setup): Promise<Pair> {
    const start = (kind: ServerKind): Promise<Player> => Player.start(kind, setup, this.client, this.scratch);
    const [reference, underTest] = await Promise.all([
      start(referenceOf(this.client)),
      start(this.options.serverUnderTest),
    ]);
    return { reference, underTest };
  }

  private async compare(pair: Pair, step: Exclude<Step, { kind: 'fresh' }>): Promise<void> {
    const name = `etcdctl ${this.client} ${this.file.name}:${step.line} [${step.group}] ${step.text.slice(0, 160)}`;
    try {
      const [reference, underTest] = await Promise.all([play(pair.reference, step), play(pair.underTest, step)]);
      const complaint = referenceComplaint(step, reference);
      const diff = unifiedDiff(reference.shown, underTest.shown);
      if (complaint !== undefined) this.report.fail(name, complaint);
      else if (diff !== '') this.report.fail(name, diff);
      else this.report.pass(name);
    } catch (error) {
      this.report.fail(name, errorText(error));
    }
  }
}

async function closePair(pair: Pair): Promise<void> {
  await Promise.all([pair.reference.close(), pair.underTest.close()]);
}

function loadStepFiles(): StepFile[] {
  const directory = join(conformanceDir, 'steps');
  return readdirSync(directory)
    .filter((name) => name.endsWith('.txt'))
    .sort()
    .map((name) => parseSteps(name, readFileSync(join(directory, name), 'utf8')));
}

/** Every step file with every client, each client's own server as the reference. */
export async function runEtcdctlSuite(options: Options, report: Report): Promise<void> {
  const files = loadStepFiles();
  for (const client of options.clients) {
    const tool = toolProgram('etcdctl', client);
    const reference = serverProgram(referenceOf(client));
    if (!tool.found || !reference.found) {
      report.skip(`etcdctl ${client}`, !tool.found ? tool.reason : !reference.found ? reference.reason : '');
      continue;
    }
    for (const file of files) {
      if (!file.name.includes(options.filter) || !file.clients.includes(client)) continue;
      try {
        await new FileRun(file, client, options, report, scratchDir('steps')).run();
      } catch (error) {
        report.fail(`etcdctl ${client} ${file.name}`, errorText(error));
      }
    }
  }
}
