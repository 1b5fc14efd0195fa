import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './ports.ts';
import { Child } from './process.ts';
import { type ServerKind, serverProgram } from './programs.ts';
import { sleep, waitUntil } from './text.ts';

/** Who a server is among the members of a cluster. */
export interface Membership {
  readonly name: string;
  /** Where the others reach it; a proxy may stand there. */
  readonly peerUrl: string;
  /** `name=url,name=url,…` */
  readonly initialCluster: string;
  readonly initialClusterState: 'new' | 'existing';
  readonly token: string;
}

export interface LaunchOptions {
  readonly kind: ServerKind;
  readonly dataDir: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** Left out: the only member of a cluster of its own. */
  readonly membership?: Membership;
  /** Which cluster it begins, instead of one of its own. */
  readonly bootstrapArgs?: readonly string[];
  readonly extraArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly startTimeoutMs?: number;
}

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;
const running = new Set<RunningServer>();
const scratchDirs = new Set<string>();

/** One server process: the real etcd or the one under test, started with etcd's own flags. */
export class RunningServer {
  readonly kind: ServerKind;
  readonly dataDir: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly child: Child;

  constructor(options: LaunchOptions, child: Child) {
    this.kind = options.kind;
    this.dataDir = options.dataDir;
    this.clientPort = options.clientPort;
    this.peerPort = options.peerPort;
    this.child = child;
    running.add(this);
  }

  /** host:port, as etcdctl prints it in --endpoints. */
  get endpoint(): string {
    return `127.0.0.1:${this.clientPort}`;
  }

  get clientUrl(): string {
    return `http://${this.endpoint}`;
  }

  /** The last lines it logged, for failure reports. */
  logTail(lines = 15): string {
    return `${this.child.stdout}${this.child.stderr}`.trimEnd().split('\n').slice(-lines).join('\n');
  }

  async stop(): Promise<number | string> {
    this.child.signal('SIGTERM');
    const ended = await Promise.race([this.child.exited, sleep(STOP_TIMEOUT_MS).then(() => undefined)]);
    if (ended === undefined) this.child.signal('SIGKILL');
    const exit = await this.child.exited;
    running.delete(this);
    return exit;
  }

  /** kill -9, at once. */
  async kill(): Promise<void> {
    this.child.signal('SIGKILL');
    await this.child.exited;
    running.delete(this);
  }
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

function membershipArgs(membership: Membership): string[] {
  return [
    `--name=${membership.name}`,
    `--initial-advertise-peer-urls=${membership.peerUrl}`,
    `--initial-cluster=${membership.initialCluster}`,
    `--initial-cluster-state=${membership.initialClusterState}`,
    `--initial-cluster-token=${membership.token}`,
  ];
}

/** Starts a server and does not wait for it. */
export function spawnServer(options: LaunchOptions): RunningServer {
  const program = serverProgram(options.kind);
  if (!program.found) throw new Error(program.reason);
  const client = `http://127.0.0.1:${options.clientPort}`;
  const peer = `http://127.0.0.1:${options.peerPort}`;
  const alone = ['--name=node1', `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=node1=${peer}`];
  const args = [
    ...program.args,
    `--data-dir=${options.dataDir}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    ...(options.bootstrapArgs ?? (options.membership === undefined ? alone : membershipArgs(options.membership))),
    ...(options.extraArgs ?? []),
  ];
  const child = new Child(program.command, args, { env: options.env });
  return new RunningServer(options, child);
}

/** Starts a server and kills it (-9) after a while, ready or not. */
export async function startAndKill(options: LaunchOptions, afterMs: number): Promise<void> {
  const server = spawnServer(options);
  await sleep(afterMs);
  await server.kill();
}

/** Starts a server and waits until it serves clients. Throws with its last log lines when it does not. */
export async function launch(options: LaunchOptions): Promise<RunningServer> {
  const server = spawnServer(options);
  try {
    await waitUntil(`${options.kind} to serve`, options.startTimeoutMs ?? START_TIMEOUT_MS, async () => {
      if (server.child.exit !== undefined)
        throw new Error(`${options.kind} ended (${server.child.exit}) while starting`);
      return isHealthy(options.clientPort);
    });
  } catch (error) {
    await server.kill();
    throw new Error(`${error instanceof Error ? error.message : error}\n${server.logTail()}`);
  }
  return server;
}

/** A directory below the system's temporary directory, removed at the end of the run. */
export function scratchDir(purpose: string): string {
  const directory = mkdtempSync(join(tmpdir(), `quorate-conformance-${purpose}-`));
  scratchDirs.add(directory);
  return directory;
}

export function removeScratchDir(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  scratchDirs.delete(directory);
}

/** Starts a server with fresh ports and a fresh data directory below `parent`. */
export async function launchFresh(
  kind: ServerKind,
  parent: string,
  extraArgs: readonly string[] = [],
): Promise<RunningServer> {
  const [clientPort, peerPort] = await freePorts(2);
  if (clientPort === undefined || peerPort === undefined) throw new Error('no free ports');
  mkdirSync(parent, { recursive: true });
  const dataDir = mkdtempSync(join(parent, `${kind}-`));
  return launch({ kind, dataDir, clientPort, peerPort, extraArgs });
}

/** Ends every server still running and removes scratch directories: called once, when the run ends however it ends. */
export function cleanUp(keepFiles: boolean): void {
  for (const server of running) server.child.signal('SIGKILL');
  running.clear();
  for (const directory of scratchDirs) {
    if (keepFiles) console.log(`kept ${directory}`);
    else rmSync(directory, { recursive: true, force: true });
  }
  scratchDirs.clear();
}
