import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Message } from '../grpc/services.ts';
import { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { Child, type RunResult, run } from '../support/process.ts';
import { bboltProgram, type ClientVersion, type Program, type ServerKind, toolProgram } from '../support/programs.ts';
import { errorText, sleep, waitUntil } from '../support/text.ts';
import { type Identity, maskText, sortLines } from './mask.ts';
import type { EndStep, InputStep, MemberAction, MemberStep, RunStep, Setup, StartStep, WaitStep } from './parse.ts';

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

/** Places beyond the first members where others may join. */
const SPARE_PLACES = 3;
const RETRY_MS_MAX = 30_000;
const RETRY_EVERY_MS = 300;
const MEMBER_STATE_MS_MAX = 30_000;

/** Plays steps against one server, or against one cluster of them, and remembers what they captured. */
export class Player {
  private readonly cluster: Cluster;
  /** By number: first the members, then the places where others may join. */
  private readonly places: readonly ClusterMember[];
  private readonly client: ClientVersion;
  private readonly scratch: string;
  private readonly captured = new Map<string, string>();
  private readonly background = new Map<string, Child>();
  private readonly clusterId: bigint;

  private constructor(
    cluster: Cluster,
    places: readonly ClusterMember[],
    client: ClientVersion,
    scratch: string,
    clusterId: bigint,
  ) {
    this.cluster = cluster;
    this.places = places;
    this.client = client;
    this.scratch = scratch;
    this.clusterId = clusterId;
  }

  /** Starts the servers; the first member leads. */
  static async start(kind: ServerKind, setup: Setup, client: ClientVersion, parent: string): Promise<Player> {
    const directory = mkdtempSync(join(parent, `${kind}-`));
    const kinds = Array.from({ length: setup.members }, () => kind);
    const cluster = await Cluster.start({ kinds, directory, extraArgs: () => setup.serverArgs });
    const places = [...cluster.members];
    const [first] = places as [ClusterMember];
    if (setup.members > 1) {
      for (let spare = 0; spare < SPARE_PLACES; spare++) places.push(await cluster.makePlace(kind));
      await cluster.moveLeader(first);
    }
    const scratch = join(directory, 'work');
    mkdirSync(scratch);
    return new Player(cluster, places, client, scratch, await readClusterId(first));
  }

  private get first(): ClusterMember {
    return this.place(1);
  }

  private place(number: number): ClusterMember {
    const place = this.places[number - 1];
    if (place === undefined) throw new Error(`there is no member ${number}`);
    return place;
  }

  private get identity(): Identity {
    const isAlone = this.places.length === 1;
    const members = this.places.map(({ clientPort, peerPort, dataDir, id }, index) => ({
      suffix: isAlone ? '' : String(index + 1),
      clientPort,
      peerPort,
      dataDir,
      id: id === '' ? undefined : BigInt(id),
    }));
    return { members, scratchDir: this.scratch, clusterId: this.clusterId, captured: this.captured };
  }

  private substitute(text: string): string {
    return text.replace(
      /\$\{([a-zA-Z0-9_]+)(?::([^:}]*):(\d+))?\}/g,
      (whole, name: string, unit?: string, times?: string) => {
        if (name === 'repeat') return (unit ?? '').repeat(Number(times));
        if (name === 'dir') return this.scratch;
        if (name === 'endpoints') return this.cluster.members.map(({ endpoint }) => endpoint).join(',');
        if (name === 'cluster') return this.clusterId.toString(16);
        return this.captured.get(name) ?? this.memberVariable(name) ?? whole;
      },
    );
  }

  /** `endpoint` of the first member, `endpoint2` of the second. */
  private memberVariable(name: string): string | undefined {
    const [, what, number] = /^([a-zA-Z]+)(\d?)$/.exec(name) ?? [];
    const member = this.places[number === '' ? 0 : Number(number) - 1];
    if (member === undefined) return undefined;
    if (what === 'endpoint') return member.endpoint;
    if (what === 'peerPort') return String(member.peerPort);
    if (what === 'peer') return member.peerUrl;
    if (what === 'name') return member.name;
    if (what === 'member') return member.id === '' ? undefined : BigInt(member.id).toString(16);
    return undefined;
  }

  private command(words: readonly string[]): { command: string; args: string[] } {
    const [tool = '', ...rest] = words.map((word) => this.substitute(word));
    const program = toolFor(tool, this.client);
    if (!program.found) throw new Error(program.reason);
    return { command: program.command, args: [...program.args, ...rest] };
  }

  async run(step: RunStep): Promise<Outcome> {
    const deadline = Date.now() + RETRY_MS_MAX;
    let result = await this.runOnce(step);
    while (step.retry && (result.exit !== 0) !== step.mustFail && Date.now() < deadline) {
      await sleep(RETRY_EVERY_MS);
      result = await this.runOnce(step);
    }
    for (const capture of step.captures) {
      const found = capture.pattern.exec(result.stdout) ?? capture.pattern.exec(result.stderr);
      if (found?.[1] !== undefined) this.captured.set(capture.name, found[1]);
    }
    const masked = (text: string): string => {
      const shown = maskText(text, this.identity, step.masks);
      return step.sort ? sortLines(shown) : shown;
    };
    return { shown: show(result.exit, masked(result.stdout), masked(result.stderr)), exit: result.exit };
  }

  private runOnce(step: RunStep): Promise<RunResult> {
    const { command, args } = this.command(step.words);
    return run(command, args, {
      stdin: this.substitute(step.stdin),
      env: clientEnvironment(this.first, this.client, args),
      cwd: this.scratch,
    });
  }

  async member(step: MemberStep): Promise<Outcome> {
    const member = this.place(step.member);
    try {
      await this.act(step.action, member);
      return NOTHING_SHOWN;
    } catch (error) {
      return { shown: `${errorText(error)}\n${member.logTail(4)}`, exit: 'timeout' };
    }
  }

  private async act(action: MemberAction, member: ClusterMember): Promise<void> {
    const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
      waitUntil(`${member.name} to be ${what}`, MEMBER_STATE_MS_MAX, holds);
    const serves = async (): Promise<boolean> => (await member.status()) !== undefined;
    switch (action) {
      case 'stop':
        return member.stop();
      case 'kill':
        return member.kill();
      case 'start':
        member.start();
        return until('serving', serves);
      case 'join':
        await this.cluster.join(member);
        return until('serving', serves);
      case 'lead':
        return this.cluster.moveLeader(member);
      case 'healthy':
        return until('healthy', () => member.isHealthy());
      case 'leaderless':
        return until('without a leader', async () => (await member.status())?.leaderId === '0');
      case 'ended':
        return until('ended', () => !member.isRunning);
      default:
        return action satisfies never;
    }
  }

  start(step: StartStep): Outcome {
    const { command, args } = this.command(step.words);
    const child = new Child(command, args, {
      env: clientEnvironment(this.first, this.client, args),
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
    await this.cluster.stop();
  }
}

function toolFor(tool: string, client: ClientVersion): Program {
  if (tool === 'etcdctl' || tool === 'etcdutl') return toolProgram(tool, client);
  if (tool === 'bbolt') return bboltProgram();
  if (tool === 'sh') return { found: true, command: '/bin/sh', args: [] };
  return { found: false, reason: `steps may run etcdctl, etcdutl, bbolt and sh, not ${tool}` };
}

function clientEnvironment(
  member: ClusterMember,
  client: ClientVersion,
  args: readonly string[] = [],
): Record<string, string> {
  // A flag and its environment variable together are an error.
  const given = args.some((arg) => arg.startsWith('--endpoints'));
  const environment: Record<string, string> = given ? {} : { ETCDCTL_ENDPOINTS: member.endpoint };
  // Client 3.7 warns about a variable it no longer knows.
  return client === '3.4' ? { ...environment, ETCDCTL_API: '3' } : environment;
}

async function readClusterId(member: ClusterMember): Promise<bigint> {
  const status = await member.call('Maintenance.Status', {});
  if (!status.ok) throw new Error(`cannot read the id of the cluster: ${status.details}`);
  return BigInt(String((status.message.header as Message).cluster_id));
}
