import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '../options.ts';
import { freePorts } from '../support/ports.ts';
import { type ServerKind, serverProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { type RunningServer, spawnServer } from '../support/server.ts';
import { errorText, waitUntil } from '../support/text.ts';
import type { LeafFiles } from './certificates.ts';
import type { TlsWorld } from './client-parts.ts';
import { etcdctl, isHealthy, rejections, waitHealthy } from './secure-server.ts';

const REJECTION_TIMEOUT_MS = 20_000;

/** Three members over TLS. */
interface PeerPart {
  readonly name: string;
  /** Flags of each; the last one's may be such that the others refuse it. */
  readonly args: readonly (readonly string[])[];
  /** Why the others refuse the last one; undefined when they do not. */
  readonly refusal?: string;
  /** They still dial it, and so it takes part. */
  readonly isReached?: true;
}

/** Clusters of members under test alone, and mixed with the real etcd both ways. */
export async function runPeerParts(world: TlsWorld, options: Options, report: Report): Promise<void> {
  const ours = options.serverUnderTest;
  const quick: readonly (readonly ServerKind[])[] = [
    [ours, ours, ours],
    [ours, ours, 'etcd37'],
  ];
  const slow: readonly (readonly ServerKind[])[] = [
    [ours, 'etcd37', 'etcd37'],
    ['etcd37', 'etcd37', ours],
    // What is expected must be so of etcd itself.
    ['etcd37', 'etcd37', 'etcd37'],
  ];
  const mixes = options.minutes === 0 ? quick : [...quick, ...slow];
  const program = serverProgram('etcd37');
  for (const part of await makePeerParts(world)) {
    for (const kinds of mixes) {
      const name = `tls peers ${kinds.join(' ')}, ${part.name}`;
      if (!name.includes(options.filter)) continue;
      if (!program.found && kinds.includes('etcd37')) {
        report.skip(name, program.reason);
        continue;
      }
      try {
        await runPeerPart(world, kinds, part);
        report.pass(name);
      } catch (error) {
        report.fail(name, errorText(error));
      }
    }
  }
}

function pairArgs({ cert, key }: LeafFiles): string[] {
  return [`--peer-cert-file=${cert}`, `--peer-key-file=${key}`];
}

async function makePeerParts({ authority, other }: TlsWorld): Promise<PeerPart[]> {
  const ca = `--peer-trusted-ca-file=${authority.file}`;
  const common = [ca, '--peer-client-cert-auth'];
  const good = [...pairArgs(await authority.issue('peer', { commonName: 'member' })), ...common];
  const of = async (...leaf: Parameters<typeof authority.issue>) => [
    ...pairArgs(await authority.issue(...leaf)),
    ...common,
  ];
  const twoWithThird = (third: readonly string[], both: readonly string[] = []) => [
    [...good, ...both],
    [...good, ...both],
    third,
  ];
  const serverUse = await authority.issue('peer-server', { usages: ['server'] });
  const clientUse = await authority.issue('peer-client', { usages: ['client'] });
  const split = [
    ...pairArgs(serverUse),
    ...[`--peer-client-cert-file=${clientUse.cert}`, `--peer-client-key-file=${clientUse.key}`],
    ...common,
  ];
  const foreign = [...pairArgs(await other.issue('peer-foreign')), ...common];
  const elsewhere = await of('peer-elsewhere', { hosts: ['10.9.8.7', '10.9.8.8'] });
  const crl = await authority.revoke('peers', ['0abc']);
  const revoked = await of('peer-revoked', { serialNumber: '0abc' });
  return [
    { name: 'one authority', args: [good, good, good] },
    { name: 'another certificate for dialling', args: [split, split, split] },
    { name: 'allowed common names', args: twoWithThird(good, ['--peer-cert-allowed-cn=x,member']) },
    { name: 'certificates of their own making', args: Array.from({ length: 3 }, () => ['--peer-auto-tls']) },
    {
      name: 'a certificate of another authority',
      args: twoWithThird(foreign),
      refusal: 'tls: failed to verify certificate: x509: certificate signed by unknown authority',
    },
    {
      name: 'another common name',
      args: twoWithThird(await of('peer-stranger'), ['--peer-cert-allowed-cn=member']),
      refusal: 'client certificate authentication failed',
    },
    {
      name: 'a certificate for other addresses',
      args: twoWithThird(elsewhere),
      refusal: 'x509: certificate is valid for 10.9.8.7, 10.9.8.8, not 127.0.0.1',
    },
    {
      name: 'a revoked certificate',
      args: twoWithThird(revoked, [`--peer-crl-file=${crl}`]),
      refusal: 'transport: certificate serial 0abc revoked',
      // A list of revoked certificates counts where one is dialled, not where one dials.
      isReached: true,
    },
  ];
}

async function runPeerPart({ folder }: TlsWorld, kinds: readonly ServerKind[], part: PeerPart): Promise<void> {
  const ports = await freePorts(2 * kinds.length);
  const peerUrl = (i: number) => `https://127.0.0.1:${ports[2 * i + 1]}`;
  const initialCluster = kinds.map((_, i) => `m${i}=${peerUrl(i)}`).join(',');
  const servers = kinds.map((kind, i) =>
    spawnServer({
      kind,
      dataDir: mkdtempSync(join(folder, `${kind}-`)),
      clientPort: ports[2 * i] as number,
      peerPort: ports[2 * i + 1] as number,
      membership: { name: `m${i}`, peerUrl: peerUrl(i), initialCluster, initialClusterState: 'new', token: 'tls' },
      extraArgs: [`--listen-peer-urls=${peerUrl(i)}`, ...(part.args[i] ?? [])],
    }),
  );
  try {
    const expected = part.refusal === undefined ? servers : servers.slice(0, -1);
    await Promise.all(expected.map(waitHealthy));
    await writeAndRead(expected);
    if (part.refusal !== undefined) await waitForRefusal(expected, part.refusal);
    const last = servers.at(-1) as RunningServer;
    if (part.refusal !== undefined && !part.isReached && (await isHealthy(last))) {
      throw new Error('who is refused is healthy');
    }
  } catch (error) {
    const tails = servers.map((server) => `-- ${server.kind}\n${server.logTail(8)}`);
    throw new Error(`${errorText(error)}\n${tails.join('\n')}`);
  } finally {
    await Promise.all(servers.map((server) => server.kill()));
  }
}

/** Each takes a write that all the others read. */
async function writeAndRead(servers: readonly RunningServer[]): Promise<void> {
  for (const [i, writer] of servers.entries()) {
    const put = await etcdctl('3.7', writer.clientUrl, ['put', `key${i}`, `value${i}`]);
    if (put.exit !== 0) throw new Error(`${writer.kind} takes no write: ${put.stderr}`);
    for (const reader of servers) {
      const get = await etcdctl('3.7', reader.clientUrl, ['get', `key${i}`, '--print-value-only']);
      if (get.stdout !== `value${i}\n`) throw new Error(`${reader.kind} reads ${get.stdout}${get.stderr}`);
    }
  }
}

function waitForRefusal(servers: readonly RunningServer[], reason: string): Promise<void> {
  return waitUntil(`members to refuse the last: ${reason}`, REJECTION_TIMEOUT_MS, () =>
    servers.every((server) => rejections(server, 'peer').includes(reason)),
  );
}
