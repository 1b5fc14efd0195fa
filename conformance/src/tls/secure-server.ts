import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { freePorts } from '../support/ports.ts';
import { type RunResult, run } from '../support/process.ts';
import { type ClientVersion, type ServerKind, toolProgram } from '../support/programs.ts';
import { type RunningServer, spawnServer } from '../support/server.ts';
import { waitUntil } from '../support/text.ts';

const READY_TIMEOUT_MS = 30_000;
const COMMAND_TIMEOUT = '2s';
/** The line that etcd logs when a client port is served; 3.4 too. */
const READY_LINE = 'serving client traffic securely';

/** Starts a server whose client port speaks TLS and waits until it serves. */
export async function launchSecure(
  kind: ServerKind,
  folder: string,
  args: readonly string[],
  systemAuthorities?: string,
): Promise<RunningServer> {
  const [clientPort = 0, peerPort = 0] = await freePorts(2);
  const url = `https://127.0.0.1:${clientPort}`;
  const server = spawnServer({
    kind,
    dataDir: mkdtempSync(join(folder, `${kind}-`)),
    clientPort,
    peerPort,
    // Of a flag that is given twice the last counts.
    extraArgs: [
      ...[`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
      ...(kind === 'etcd34' ? ['--logger=zap'] : []),
      ...args,
    ],
    ...(systemAuthorities === undefined ? {} : { env: { SSL_CERT_FILE: systemAuthorities } }),
  });
  try {
    await server.child.waitForOutput(() => server.child.stderr.includes(READY_LINE), READY_TIMEOUT_MS);
    if (!server.child.stderr.includes(READY_LINE)) throw new Error(`${kind} does not serve\n${server.logTail()}`);
  } catch (error) {
    await server.kill();
    throw error;
  }
  return server;
}

/** Runs etcdctl against one endpoint. */
export function etcdctl(version: ClientVersion, endpoint: string, args: readonly string[]): Promise<RunResult> {
  const program = toolProgram('etcdctl', version);
  if (!program.found) throw new Error(program.reason);
  const limits = ['--dial-timeout=1s', `--command-timeout=${COMMAND_TIMEOUT}`];
  const env: Record<string, string> = version === '3.4' ? { ETCDCTL_API: '3' } : {};
  return run(program.command, [...program.args, `--endpoints=${endpoint}`, ...limits, ...args], { env });
}

/** What of a command's end has to be the same everywhere: its warnings are not. */
export function outcomeText({ exit, stdout, stderr }: RunResult): string {
  const last = stderr.trimEnd().split('\n').at(-1) ?? '';
  return `exit ${exit}, ${JSON.stringify(stdout)}, ${exit === 0 ? '' : last}`;
}

/** What a handshake agrees on, or that there is none. */
export function handshake(
  port: number,
  options: { readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'; readonly ciphers?: string },
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    socket.once('secureConnect', () => {
      // The cipher of TLS 1.3 is a matter of taste.
      const protocol = socket.getProtocol() ?? '';
      resolve(protocol === 'TLSv1.2' ? `${protocol} ${socket.getCipher().name}` : protocol);
      socket.destroy();
    });
    socket.once('error', () => resolve('refused'));
    socket.once('close', () => resolve('refused'));
  });
}

interface LogLine {
  readonly msg?: string;
  readonly error?: string;
}

/** What a server logged as JSON. */
export function logLines({ child }: RunningServer): LogLine[] {
  return child.stderr.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as LogLine];
    } catch {
      return [];
    }
  });
}

/** Go adds what it saw itself behind some reasons. */
const goDetails = / \(possibly because of .*|: current time .*|: \[[0-9a-f ]*\]$|; client offered: .*/;

/** Why a server refused connections: each reason once, sorted. */
export function rejections(server: RunningServer, endpoint: 'client' | 'peer'): string[] {
  const lines = logLines(server).filter(({ msg }) => msg === `rejected connection on ${endpoint} endpoint`);
  return [...new Set(lines.map(({ error = '' }) => error.replace(goDetails, '')))].sort();
}

/** Waits until a server serves a linearizable read to its own plain port. */
export async function waitHealthy(server: RunningServer): Promise<void> {
  await waitUntil(`${server.kind} on ${server.clientPort} to be healthy`, READY_TIMEOUT_MS, async () => {
    if (server.child.exit !== undefined) throw new Error(`${server.kind} ended\n${server.logTail()}`);
    return isHealthy(server);
  });
}

export async function isHealthy({ clientUrl }: RunningServer): Promise<boolean> {
  try {
    const response = await fetch(`${clientUrl}/health`, { signal: AbortSignal.timeout(2000) });
    return response.status === 200 && (await response.text()).includes('"true"');
  } catch {
    return false;
  }
}
