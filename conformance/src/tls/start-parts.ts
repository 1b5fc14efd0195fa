import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '../options.ts';
import { freePorts } from '../support/ports.ts';
import { type ServerKind, serverProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { spawnServer } from '../support/server.ts';
import { errorText, sleep } from '../support/text.ts';
import type { TlsWorld } from './client-parts.ts';
import { logLines } from './secure-server.ts';

const END_TIMEOUT_MS = 20_000;

interface Start {
  readonly name: string;
  readonly args: readonly string[];
}

/** Starts that etcd refuses: ours ends with the same status and the same reason. */
export async function runStartParts(world: TlsWorld, options: Options, report: Report): Promise<void> {
  const reference = serverProgram('etcd37');
  if (!reference.found) {
    report.skip('tls refused starts', reference.reason);
    return;
  }
  for (const { name, args } of await refusedStarts(world)) {
    const step = `tls refused start, ${name}`;
    if (!step.includes(options.filter)) continue;
    try {
      const expected = await reasonOf('etcd37', world.folder, args);
      const got = await reasonOf(options.serverUnderTest, world.folder, args);
      if (got === expected) report.pass(step);
      else report.fail(step, `expected ${expected}\ngot ${got}`);
    } catch (error) {
      report.fail(step, errorText(error));
    }
  }
}

/** Exit status and the last error that was logged. */
async function reasonOf(kind: ServerKind, folder: string, args: readonly string[]): Promise<string> {
  const [clientPort = 0, peerPort = 0] = await freePorts(2);
  const numbered = args.map((arg) => arg.replace('{client}', String(clientPort)).replace('{peer}', String(peerPort)));
  const dataDir = mkdtempSync(join(folder, `${kind}-`));
  const server = spawnServer({ kind, dataDir, clientPort, peerPort, extraArgs: numbered });
  const exit = await Promise.race([server.child.exited, sleep(END_TIMEOUT_MS)]);
  if (exit === undefined) {
    await server.kill();
    return 'goes on';
  }
  const error = logLines(server).findLast((line) => line.error !== undefined)?.error ?? '';
  return `${exit} ${error}`.replaceAll(String(clientPort), '{client}').replaceAll(String(peerPort), '{peer}');
}

async function refusedStarts(world: TlsWorld): Promise<Start[]> {
  const { server, authority, folder } = world;
  const another = await authority.issue('another');
  const clients = ['--listen-client-urls=https://127.0.0.1:{client}'];
  const peers = [
    ...['--listen-peer-urls=https://127.0.0.1:{peer}', '--initial-advertise-peer-urls=https://127.0.0.1:{peer}'],
    '--initial-cluster=node1=https://127.0.0.1:{peer}',
  ];
  const pair = [`--peer-cert-file=${server.cert}`, `--peer-key-file=${server.key}`];
  return [
    { name: 'https clients without a certificate', args: clients },
    { name: 'https peers without a certificate', args: peers },
    { name: 'half a peer pair', args: [...peers, '--peer-cert-file=c'] },
    { name: 'half a peer pair beside http', args: ['--peer-key-file=k'] },
    { name: 'half a pair for dialling', args: [...peers, ...pair, '--peer-client-key-file=k'] },
    {
      name: 'a peer key of another certificate',
      args: [...peers, `--peer-cert-file=${server.cert}`, `--peer-key-file=${another.key}`],
    },
    {
      name: 'no such peer certificate',
      args: [...peers, `--peer-cert-file=${folder}/none`, `--peer-key-file=${server.key}`],
    },
    { name: 'no such peer authority', args: [...peers, ...pair, `--peer-trusted-ca-file=${folder}/none`] },
    {
      name: 'both lists of allowed names',
      args: [...peers, ...pair, '--peer-cert-allowed-cn=a,b', '--peer-cert-allowed-hostname=c,d'],
    },
    { name: 'unknown suite', args: ['--cipher-suites=TLS_AES_128_GCM_SHA256,nonsense'] },
    { name: 'unknown lowest version', args: ['--tls-min-version=TLS1.1'] },
    { name: 'unknown highest version', args: ['--tls-max-version=1.3'] },
    { name: 'lowest above highest', args: ['--tls-min-version=TLS1.3', '--tls-max-version=TLS1.2'] },
    { name: 'suites with 1.3 alone', args: ['--tls-min-version=TLS1.3', '--cipher-suites=nonsense'] },
    { name: 'no years for clients', args: [...clients, '--auto-tls', '--self-signed-cert-validity=0'] },
    { name: 'no years for peers', args: [...peers, '--peer-auto-tls', '--self-signed-cert-validity=0'] },
  ];
}
