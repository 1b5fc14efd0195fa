import type { Options } from '../options.ts';
import { freePorts } from '../support/ports.ts';
import type { ServerKind } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { launchFresh, type RunningServer, removeScratchDir, scratchDir, spawnServer } from '../support/server.ts';
import { errorText, waitUntil } from '../support/text.ts';
import type { FlagCase } from './cases.ts';

const prefix = '/_etcd/registry';

/** Registries of clusters of one: a token is good for one cluster. */
export const tokenOfOne = { reference: 'first-of-one', underTest: 'second-of-one' } as const;

/** A cluster that keeps registries for v3 discovery: one that is full, one with a bad size, ones with room. */
export async function startRegistry(directory: string): Promise<RunningServer> {
  const server = await launchFresh('etcd37', directory);
  await put(server, 'bad/_config/size', 'x');
  await put(server, 'full/_config/size', '1');
  await put(server, 'full/members/1234', 'other=http://127.0.0.1:1');
  for (const token of Object.values(tokenOfOne)) await put(server, `${token}/_config/size`, '1');
  await put(server, 'three/_config/size', '3');
  return server;
}

async function put(server: RunningServer, key: string, value: string): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const body = JSON.stringify({ key: base64(`${prefix}/${key}`), value: base64(value) });
  const answer = await fetch(`${server.clientUrl}/v3/kv/put`, { method: 'POST', body });
  if (!answer.ok) throw new Error(`the registry did not take ${key}: ${await answer.text()}`);
}

const listen = [
  '--name=a',
  '--listen-client-urls=http://127.0.0.1:%CLIENT',
  '--advertise-client-urls=http://127.0.0.1:%CLIENT',
  '--listen-peer-urls=http://127.0.0.1:%PEER',
  '--initial-advertise-peer-urls=http://127.0.0.1:%PEER',
  '--discovery-endpoints=%REGISTRY',
];

export const registryCases: readonly FlagCase[] = [
  ...['none', 'bad', 'full'].map((token) => ({
    args: [...listen, `--discovery-token=${token}`],
    env: {},
    serves: false,
  })),
  { args: [...listen, '--discovery-token=%TOKEN'], env: {}, serves: true },
];

/** Members of both kinds find each other by the registry and are one cluster. */
export async function findEachOther(registry: RunningServer, options: Options, report: Report): Promise<void> {
  const name = 'flags discovery: members of both kinds in one cluster';
  const kinds: readonly ServerKind[] = [options.serverUnderTest, 'etcd37', options.serverUnderTest];
  const ports = await freePorts(2 * kinds.length);
  const directory = scratchDir('discovery');
  const servers = kinds.map((kind, i) =>
    spawnServer({
      kind,
      dataDir: `${directory}/${i}`,
      clientPort: ports[2 * i] as number,
      peerPort: ports[2 * i + 1] as number,
      bootstrapArgs: [
        `--name=m${i}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${ports[2 * i + 1]}`,
        '--discovery-token=three',
        `--discovery-endpoints=${registry.clientUrl}`,
      ],
    }),
  );
  try {
    await waitUntil('all to know each other', 20_000, async () => {
      const counts = await Promise.all(servers.map(memberCount));
      return counts.every((count) => count === 3);
    });
    report.pass(name);
  } catch (error) {
    report.fail(name, [errorText(error), ...servers.map((server) => server.logTail(5))].join('\n'));
  } finally {
    for (const server of servers) await server.kill();
    removeScratchDir(directory);
  }
}

async function memberCount(server: RunningServer): Promise<number> {
  try {
    const answer = await fetch(`http://127.0.0.1:${server.peerPort}/members`, { signal: AbortSignal.timeout(2_000) });
    return ((await answer.json()) as unknown[]).length;
  } catch {
    return 0;
  }
}
