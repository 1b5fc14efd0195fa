import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '../options.ts';
import { unifiedDiff } from '../support/diff.ts';
import { freePorts } from '../support/ports.ts';
import { Child, type RunResult } from '../support/process.ts';
import { type Program, serverProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { type RunningServer, scratchDir } from '../support/server.ts';
import { type FlagCase, flagCases } from './cases.ts';
import { findEachOther, registryCases, startRegistry, tokenOfOne } from './registry.ts';
import { transcriptOf } from './transcript.ts';

const endTimeoutMs = 15_000;
/** What a server writes when it serves, in both log formats. */
const readyText = /ready to (?:serve|proxy) client requests/;

/** Starts both servers with the same flags, variables and files, right and wrong ones, and compares what they say of them and how they end. */
export async function runFlagsSuite(options: Options, report: Report): Promise<void> {
  const reference = serverProgram('etcd37');
  if (!reference.found) {
    report.skip('flags', reference.reason);
    return;
  }
  const base = scratchDir('flags');
  const registry = await startRegistry(base);
  try {
    for (const [i, flagCase] of [...flagCases, ...registryCases].entries()) {
      const name = nameOf(flagCase);
      if (name.includes(options.filter)) await compare(name, flagCase, join(base, `${i}`), registry, options, report);
    }
    if ('flags discovery'.includes(options.filter)) await findEachOther(registry, options, report);
  } finally {
    await registry.kill();
  }
}

async function compare(
  name: string,
  flagCase: FlagCase,
  folder: string,
  registry: RunningServer,
  options: Options,
  report: Report,
): Promise<void> {
  const [expected, found] = await Promise.all(
    (['reference', 'underTest'] as const).map((side) => {
      const kind = side === 'reference' ? 'etcd37' : options.serverUnderTest;
      const extra = { '%REGISTRY': registry.clientUrl, '%TOKEN': tokenOfOne[side] };
      return play(flagCase, serverProgram(kind), `${folder}-${side}`, extra);
    }),
  );
  if (expected === found) report.pass(name);
  else report.fail(name, unifiedDiff(expected ?? '', found ?? ''));
}

function nameOf({ args, env, file }: FlagCase): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const parts = [...variables, ...args, ...(file === undefined ? [] : [`file ${JSON.stringify(file)}`])];
  return `flags ${parts.join(' ')}`;
}

async function play(
  flagCase: FlagCase,
  program: Program,
  folder: string,
  extra: Readonly<Record<string, string>>,
): Promise<string> {
  if (!program.found) throw new Error(program.reason);
  mkdirSync(folder, { recursive: true });
  const [client, peer] = await freePorts(2);
  const marks = Object.entries({ ...extra, '%DIR': folder, '%CLIENT': `${client}`, '%PEER': `${peer}` });
  const fill = (text: string) => marks.reduce((filled, [mark, value]) => filled.replaceAll(mark, value), text);
  const args = flagCase.args.map(fill);
  if (flagCase.file !== undefined) {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, fill(flagCase.file));
    args.push(`--config-file=${path}`);
  }
  const env = Object.fromEntries(Object.entries(flagCase.env).map(([name, value]) => [name, fill(value)]));
  const child = new Child(program.command, [...program.args, ...args], { cwd: folder, env });
  child.process.stdin.end();
  const result = await lifeOf(child, flagCase.serves);
  const mask = (text: string) => marks.reduce((masked, [mark, value]) => masked.replaceAll(value, mark), text);
  return transcriptOf(result, mask);
}

/** Waits until the server ends by itself; one that serves is ended. */
async function lifeOf(child: Child, serves: boolean): Promise<RunResult> {
  const isOver = () => serves && readyText.test(`${child.stdout}${child.stderr}`);
  const isReady = await child.waitForOutput(isOver, endTimeoutMs);
  if (isReady) child.signal('SIGTERM');
  else if (child.exit === undefined) child.signal('SIGKILL');
  const exit = await child.exited;
  return { stdout: child.stdout, stderr: child.stderr, exit: isReady ? 'after serving' : exit };
}
