import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from './options.ts';
import { run } from './support/process.ts';
import { conformanceDir, onPath, type ServerKind } from './support/programs.ts';
import type { Report } from './support/report.ts';
import { launchFresh, removeScratchDir, scratchDir } from './support/server.ts';

// Clients of other languages, each used by a small program in that language that prints `ok NAME` or `fail NAME: why` for each
// of its checks. A check must pass with the real etcd, or it says nothing, and then with the server under test.

const PREPARE_TIMEOUT_MS = 15 * 60_000;
const CHECK_TIMEOUT_MS = 4 * 60_000;
const sources = join(conformanceDir, 'clients');
const binDir = join(conformanceDir, '.bin');
const builtDir = join(binDir, 'clients');

interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

interface Client {
  readonly name: string;
  /** Programs that must be on the PATH to prepare it. */
  readonly needs: readonly string[];
  /** Commands that fetch and build it; quick when that was done before. */
  readonly prepare: readonly Command[];
  /** Takes host:port as its last argument. */
  readonly check: Command;
}

const python = join(builtDir, 'python');
const rust = join(builtDir, 'rust');
const java = join(builtDir, 'java');

const clients: readonly Client[] = [
  {
    name: 'Go clientv3',
    needs: ['go'],
    prepare: [{ command: process.execPath, args: [join(conformanceDir, 'scripts', 'build-go.mjs'), 'clientcheck'] }],
    check: { command: join(binDir, 'clientcheck'), args: [] },
  },
  {
    name: 'Python aetcd and etcd3gw',
    needs: ['python3'],
    prepare: [
      { command: 'python3', args: ['-m', 'venv', python] },
      {
        command: join(python, 'bin', 'pip'),
        args: ['install', '--quiet', '--requirement', join(sources, 'python', 'requirements.txt')],
      },
    ],
    check: { command: join(python, 'bin', 'python'), args: [join(sources, 'python', 'check.py')] },
  },
  {
    name: 'Rust etcd-client',
    // Its build reads .proto files.
    needs: ['cargo', 'protoc'],
    prepare: [
      {
        command: 'cargo',
        args: ['build', '--quiet', '--locked'],
        cwd: join(sources, 'rust'),
        env: { CARGO_TARGET_DIR: rust },
      },
    ],
    check: { command: join(rust, 'debug', 'quorate-client-check'), args: [] },
  },
  {
    name: 'Java jetcd',
    needs: ['java', 'mvn'],
    prepare: [
      {
        command: 'mvn',
        args: ['--quiet', '--batch-mode', `-DbuildDirectory=${java}`, 'package'],
        cwd: join(sources, 'java'),
      },
    ],
    check: {
      command: 'java',
      args: ['-cp', `${join(java, 'classes')}:${join(java, 'dependency', '*')}`, 'dev.quorate.check.ClientCheck'],
    },
  },
];

/** Why it cannot be used here, if it cannot. */
async function prepare(client: Client): Promise<string | undefined> {
  const missing = client.needs.filter((program) => onPath(program) === undefined);
  if (missing.length > 0) return `${missing.join(' and ')} not on the PATH`;
  mkdirSync(builtDir, { recursive: true });
  for (const { command, args, cwd, env } of client.prepare) {
    const { exit, stdout, stderr } = await run(command, args, { cwd, env, timeoutMs: PREPARE_TIMEOUT_MS });
    if (exit !== 0)
      return `${command} ended with ${exit}: ${`${stdout}${stderr}`.trim().split('\n').slice(-5).join('\n')}`;
  }
  return undefined;
}

/** Its checks by name, with why each failed; undefined where it passed. */
type Outcome = ReadonlyMap<string, string | undefined>;

async function checkWith(client: Client, kind: ServerKind): Promise<Outcome> {
  const parent = scratchDir('clients');
  const server = await launchFresh(kind, parent);
  try {
    const { command, args } = client.check;
    const { exit, stdout, stderr } = await run(command, [...args, server.endpoint], { timeoutMs: CHECK_TIMEOUT_MS });
    const outcome = new Map<string, string | undefined>();
    for (const line of stdout.split('\n')) {
      const [, passed] = /^ok (.*)$/.exec(line) ?? [];
      if (passed !== undefined) outcome.set(passed, undefined);
      const [, name, why] = /^fail ([^:]*): (.*)$/.exec(line) ?? [];
      if (name !== undefined) outcome.set(name, why);
    }
    const failed = [...outcome.values()].some((why) => why !== undefined);
    if (outcome.size === 0 || (exit !== 0 && !failed)) outcome.set('its end', `status ${exit}: ${stderr.slice(-2000)}`);
    return outcome;
  } finally {
    await server.stop();
    removeScratchDir(parent);
  }
}

async function runClient(client: Client, options: Options, report: Report): Promise<void> {
  const problem = await prepare(client);
  if (problem !== undefined) {
    report.skip(`clients: ${client.name}`, problem);
    return;
  }
  const expected = await checkWith(client, options.reference);
  const found = await checkWith(client, options.serverUnderTest);
  for (const name of new Set([...expected.keys(), ...found.keys()])) {
    const title = `clients: ${client.name}: ${name}`;
    if (!expected.has(name) || expected.get(name) !== undefined) {
      report.fail(title, `with ${options.reference}: ${expected.get(name) ?? 'not checked'}`);
    } else if (!found.has(name) || found.get(name) !== undefined) {
      report.fail(title, found.get(name) ?? 'not checked');
    } else report.pass(title);
  }
}

export async function runClientsSuite(options: Options, report: Report): Promise<void> {
  for (const client of clients) {
    if (client.name.toLowerCase().includes(options.filter.toLowerCase())) await runClient(client, options, report);
  }
}
