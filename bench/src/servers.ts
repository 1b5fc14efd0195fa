import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export type ServerKind = 'etcd' | 'quorate';

/** A running server with a data directory of its own. */
export interface Server {
  readonly kind: ServerKind;
  readonly port: number;
  readonly url: string;
  /** Milliseconds from the start of the process until it answered. */
  readonly startMs: number;
  /** Resident bytes now. */
  residentBytes(): number;
  /** Stops it (SIGTERM) and starts it again on the same directory. */
  restart(): Promise<Server>;
  /** Stops it and removes its directory. */
  stop(): Promise<void>;
}

/** The program's version line, or undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  const found = spawnSync(name, ['--version'], { encoding: 'utf8' });
  return found.error ? undefined : found.stdout.split('\n')[0];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Starts a cluster of one. */
export async function startServer(kind: ServerKind): Promise<Server> {
  return launch(kind, makeDirectory(kind), { name: 'default', peer: await freePort() });
}

/** Members of one cluster on this machine, the one that leads first. */
export interface ServerCluster {
  readonly members: readonly Server[];
  stop(): Promise<void>;
}

/** Starts a cluster of `size`. */
export async function startCluster(kind: ServerKind, size: number): Promise<ServerCluster> {
  const peers = await Promise.all(Array.from({ length: size }, freePort));
  const cluster = peers.map((port, i) => `m${i}=http://127.0.0.1:${port}`).join(',');
  const members = await Promise.all(
    peers.map((peer, i) => launch(kind, makeDirectory(kind), { name: `m${i}`, peer, cluster })),
  );
  const leads = await Promise.all(members.map((member) => isLeader(member.url)));
  const ordered = [...members].sort((a, b) => Number(leads[members.indexOf(b)]) - Number(leads[members.indexOf(a)]));
  return {
    members: ordered,
    stop: async () => {
      await Promise.all(members.map((member) => member.stop()));
    },
  };
}

async function isLeader(url: string): Promise<boolean> {
  return /^etcd_server_is_leader 1$/m.test(await (await fetch(`${url}/metrics`)).text());
}

const makeDirectory = (kind: ServerKind): string => mkdtempSync(join(tmpdir(), `quorate-bench-${kind}-`));

interface Place {
  readonly name: string;
  /** Port for the other members. */
  readonly peer: number;
  /** Of several members: the initial cluster. */
  readonly cluster?: string;
}

async function launch(kind: ServerKind, directory: string, place: Place): Promise<Server> {
  const client = await freePort();
  const clientUrl = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${place.peer}`;
  const flags = [
    `--name=${place.name}`,
    `--data-dir=${directory}/data`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=${place.cluster ?? `${place.name}=${peerUrl}`}`,
    '--quota-backend-bytes=8589934592',
    '--log-level=warn',
  ];
  const log = openSync(`${directory}/log`, 'a');
  const command = kind === 'etcd' ? 'etcd' : join(root, 'bin', 'quorate');
  const startedAt = performance.now();
  const child = spawn(command, flags, { stdio: ['ignore', log, log] });
  closeSync(log);
  let ended: string | undefined;
  child.once('exit', (code, signal) => {
    ended = `ended with ${code ?? signal}`;
  });
  child.once('error', (error) => {
    ended = error.message;
  });
  await waitUntilServing(clientUrl, () => {
    if (ended !== undefined)
      throw new Error(`${kind} ${ended}:\n${readFileSync(`${directory}/log`, 'utf8').slice(-2000)}`);
  });
  const startMs = performance.now() - startedAt;
  return {
    kind,
    port: client,
    url: clientUrl,
    startMs,
    residentBytes: () => residentBytes(child.pid as number),
    restart: async () => {
      await end(child);
      return launch(kind, directory, place);
    },
    stop: async () => {
      await end(child);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A linearizable read over the JSON health check answers only when the member serves. */
async function waitUntilServing(url: string, checkAlive: () => void): Promise<void> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    checkAlive();
    try {
      const response = await fetch(`${url}/health`);
      if (response.ok && (await response.text()).includes('true')) return;
    } catch {
      // Not listening yet.
    }
    if (performance.now() > deadline) throw new Error(`${url} does not serve`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await exited;
  clearTimeout(killer);
}

function residentBytes(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) * 1024;
}
