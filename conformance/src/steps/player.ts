import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Child, run } from '../support/process.ts';
import { bboltProgram, type ClientVersion, type Program, toolProgram } from '../support/programs.ts';
import type { RunningServer } from '../support/server.ts';
import { type Identity, maskText } from './mask.ts';
import type { EndStep, InputStep, RunStep, StartStep, WaitStep } from './parse.ts';

/** What one step printed on one server, masked and as it was. */
export interface Outcome {
  readonly shown: string;
  readonly exit: number | string;
}

const BACKGROUND_TIMEOUT_MS = 10_000;
const NOTHING_SHOWN: Outcome = { shown: '', exit: 0 };

function countLines(text: string): number {
  return text.split('\n').length - 1;
}

function show(exit: number | string, stdout: string, stderr: string): string {
  const unended = stdout === '' || stdout.endsWith('\n') ? '' : '<no newline>\n';
  return `exit ${exit}\n--- stdout\n${stdout}${unended}--- stderr\n${stderr}`;
}

/** Plays steps against one server and remembers what they captured. */
export class Player {
  readonly server: RunningServer;
  private readonly client: ClientVersion;
  private readonly scratch: string;
  private readonly captured = new Map<string, string>();
  private readonly background = new Map<string, Child>();
  private readonly memberId: bigint;
  private readonly clusterId: bigint;

  private constructor(
    server: RunningServer,
    client: ClientVersion,
    scratch: string,
    ids: { memberId: bigint; clusterId: bigint },
  ) {
    this.server = server;
    this.client = client;
    this.scratch = scratch;
    this.memberId = ids.memberId;
    this.clusterId = ids.clusterId;
  }

  static async over(server: RunningServer, client: ClientVersion, parent: string): Promise<Player> {
    const scratch = join(parent, `work-${server.clientPort}`);
    mkdirSync(scratch, { recursive: true });
    return new Player(server, client, scratch, await readIds(server, client));
  }

  private get identity(): Identity {
    return {
      clientPort: this.server.clientPort,
      peerPort: this.server.peerPort,
      scratchDir: this.scratch,
      dataDir: this.server.dataDir,
      memberId: this.memberId,
      clusterId: this.clusterId,
      captured: this.captured,
    };
  }

  private substitute(text: string): string {
    return text.replace(
      /\$\{([a-zA-Z0-9_]+)(?::([^:}]*):(\d+))?\}/g,
      (whole, name: string, unit?: string, times?: string) => {
        if (name === 'repeat') return (unit ?? '').repeat(Number(times));
        if (name === 'dir') return this.scratch;
        if (name === 'endpoint') return this.server.endpoint;
        if (name === 'peerPort') return String(this.server.peerPort);
        if (name === 'member') return this.memberId.toString(16);
        if (name === 'cluster') return this.clusterId.toString(16);
        return this.captured.get(name) ?? whole;
      },
    );
  }

  private command(words: readonly string[]): { command: string; args: string[] } {
    const [tool = '', ...rest] = words.map((word) => this.substitute(word));
    const program = toolFor(tool, this.client);
    if (!program.found) throw new Error(program.reason);
    return { command: program.command, args: [...program.args, ...rest] };
  }

  async run(step: RunStep): Promise<Outcome> {
    const { command, args } = this.command(step.words);
    const result = await run(command, args, {
      stdin: this.substitute(step.stdin),
      env: clientEnvironment(this.server, this.client, args),
      cwd: this.scratch,
    });
    for (const capture of step.captures) {
      const found = capture.pattern.exec(result.stdout) ?? capture.pattern.exec(result.stderr);
      if (found?.[1] !== undefined) this.captured.set(capture.name, found[1]);
    }
    const masked = (text: string): string => maskText(text, this.identity, step.masks);
    return { shown: show(result.exit, masked(result.stdout), masked(result.stderr)), exit: result.exit };
  }

  start(step: StartStep): Outcome {
    const { command, args } = this.command(step.words);
    const child = new Child(command, args, {
      env: clientEnvironment(this.server, this.client, args),
      cwd: this.scratch,
    });
    this.background.set(step.name, child);
    return NOTHING_SHOWN;
  }

  input(step: InputStep): Outcome {
    this.get(step.name).process.stdin.write(`${this.substitute(step.input)}\n`);
    return NOTHING_SHOWN;
  }

  async wait(step: WaitStep): Promise<Outcome> {
    const child = this.get(step.name);
    const came = await child.waitForOutput(() => countLines(child.stdout) >= step.lines, BACKGROUND_TIMEOUT_MS);
    if (came) return NOTHING_SHOWN;
    const got = maskText(`${child.stdout}--- stderr\n${child.stderr}`, this.identity, step.masks);
    return {
      shown: `awaited ${step.lines} lines of output, got ${countLines(child.stdout)}:\n${got}`,
      exit: 'timeout',
    };
  }

  async end(step: EndStep): Promise<Outcome> {
    const child = this.get(step.name);
    if (step.signal === undefined) await child.waitForOutput(() => false, BACKGROUND_TIMEOUT_MS);
    else child.signal(step.signal);
    const stuck = step.signal === undefined && child.exit === undefined;
    if (stuck) child.signal('SIGKILL');
    const exit = stuck ? 'timeout' : await child.exited;
    this.background.delete(step.name);
    const masked = (text: string): string => maskText(text, this.identity, step.masks);
    return { shown: show(exit, masked(child.stdout), masked(child.stderr)), exit };
  }

  private get(name: string): Child {
    const child = this.background.get(name);
    if (child === undefined) throw new Error(`no process named ${name} was started`);
    return child;
  }

  async close(): Promise<void> {
    for (const child of this.background.values()) {
      child.signal('SIGKILL');
      await child.exited;
    }
    await this.server.stop();
  }
}

function toolFor(tool: string, client: ClientVersion): Program {
  if (tool === 'etcdctl' || tool === 'etcdutl') return toolProgram(tool, client);
  if (tool === 'bbolt') return bboltProgram();
  if (tool === 'sh') return { found: true, command: '/bin/sh', args: [] };
  return { found: false, reason: `steps may run etcdctl, etcdutl, bbolt and sh, not ${tool}` };
}

function clientEnvironment(
  server: RunningServer,
  client: ClientVersion,
  args: readonly string[] = [],
): Record<string, string> {
  // A flag and its environment variable together are an error.
  const given = args.some((arg) => arg.startsWith('--endpoints'));
  const environment: Record<string, string> = given ? {} : { ETCDCTL_ENDPOINTS: server.endpoint };
  // Client 3.7 warns about a variable it no longer knows.
  return client === '3.4' ? { ...environment, ETCDCTL_API: '3' } : environment;
}

async function readIds(server: RunningServer, client: ClientVersion): Promise<{ memberId: bigint; clusterId: bigint }> {
  const program = toolProgram('etcdctl', client);
  if (!program.found) throw new Error(program.reason);
  const result = await run(program.command, [...program.args, 'member', 'list', '-w', 'json'], {
    env: clientEnvironment(server, client),
  });
  const member = /"member_id":(\d+)/.exec(result.stdout)?.[1];
  const cluster = /"cluster_id":(\d+)/.exec(result.stdout)?.[1];
  if (member === undefined || cluster === undefined) {
    throw new Error(`cannot read the ids of ${server.kind}: ${result.stdout}${result.stderr}`);
  }
  return { memberId: BigInt(member), clusterId: BigInt(cluster) };
}
