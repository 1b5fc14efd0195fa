import { mkdirSync, readdirSync } from 'node:fs';
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Options } from '../options.ts';
import { freePorts } from '../support/ports.ts';
import { Child, run } from '../support/process.ts';
import { type ServerKind, serverProgram, toolProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { launchFresh, type RunningServer, removeScratchDir, scratchDir } from '../support/server.ts';
import { errorText, waitUntil } from '../support/text.ts';

// `grpc-proxy start` of one kind in front of a server of the same kind: what clients and operators see of it is the same for all kinds.

const TIMEOUT_MS = 20_000;
const WATCHERS = 5;
const GETS = 10;

interface Proxy {
  readonly endpoint: string;
  /** Its data directory. */
  readonly data: string;
  readonly child: Child;
}

/** Where a story plays. */
interface Stage {
  readonly kind: ServerKind;
  readonly server: RunningServer;
  /** A proxy with further flags, ready to use. */
  start(...flags: readonly string[]): Promise<Proxy>;
}

interface Story {
  readonly name: string;
  readonly expected: readonly string[];
  readonly tell: (stage: Stage) => Promise<string[]>;
}

async function etcdctl(endpoint: string, ...args: readonly string[]): Promise<string> {
  const tool = toolProgram('etcdctl', '3.7');
  if (!tool.found) throw new Error(tool.reason);
  const { stdout, stderr, exit } = await run(tool.command, [`--endpoints=${endpoint}`, ...args]);
  if (exit !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

/** Makes `a` 2 if it is 1. */
async function swap(endpoint: string): Promise<string> {
  const tool = toolProgram('etcdctl', '3.7');
  if (!tool.found) throw new Error(tool.reason);
  const stdin = 'value("a") = "1"\n\nput a 2\n\n\n';
  return (await run(tool.command, [`--endpoints=${endpoint}`, 'txn'], { stdin })).stdout.trim();
}

/** Status and body of a page; over TLS whoever answers is believed. */
function page(address: string, path: string, isSecure = false): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { timeout: TIMEOUT_MS, rejectUnauthorized: false, agent: false as const };
    const ask = isSecure ? httpsGet : httpGet;
    const request = ask(`${isSecure ? 'https' : 'http'}://${address}${path}`, options, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error(`${path} is not answered`)));
  });
}

/** The value of a metric of the server, all labels counted together. */
async function metric(stage: Stage, pattern: RegExp): Promise<number> {
  const { body } = await page(stage.server.endpoint, '/metrics');
  const lines = body.split('\n').filter((line) => pattern.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** Of a proxy that may know its fellows a moment later. */
async function members(proxy: Proxy, count: number): Promise<string[]> {
  let lines: string[] = [];
  await waitUntil(`${count} in the member list`, TIMEOUT_MS, async () => {
    lines = (await etcdctl(proxy.endpoint, 'member', 'list')).split('\n');
    return lines.length === count;
  });
  return lines.map((line) => {
    const [id = '', state = '', name = '', peers = '', clients = ''] = line.split(', ');
    return `${id} ${state} ${name === '' ? 'without a name' : 'with a name'} ${peers} ${clients}`;
  });
}

function masked(lines: readonly string[], ...proxies: readonly Proxy[]): string[] {
  let shown = [...lines].sort().join('\n');
  for (const { endpoint } of proxies) shown = shown.replaceAll(endpoint, '<proxy>');
  return shown.split('\n');
}

const stories: readonly Story[] = [
  {
    name: 'keys, leases and transactions pass through',
    expected: ['OK', 'a\n1', 'SUCCESS\n\nOK', 'a\n2', 'kept alive with TTL(300)', '1'],
    tell: async (stage) => {
      const { endpoint } = await stage.start();
      const lines = [await etcdctl(endpoint, 'put', 'a', '1'), await etcdctl(endpoint, 'get', 'a')];
      lines.push(await swap(endpoint), await etcdctl(endpoint, 'get', 'a'));
      const [, lease = ''] = /lease (\w+) /.exec(await etcdctl(endpoint, 'lease', 'grant', '300')) ?? [];
      const alive = await etcdctl(endpoint, 'lease', 'keep-alive', '--once', lease);
      lines.push(alive.replace(/^lease \w+ keepalived/, 'kept alive'), await etcdctl(endpoint, 'del', 'a'));
      return lines;
    },
  },
  {
    name: 'a namespace is hidden from clients',
    expected: ['a\n1', 'ns/a\n1', 'out\n0'],
    tell: async (stage) => {
      const { endpoint } = await stage.start('--namespace=ns/');
      await etcdctl(stage.server.endpoint, 'put', 'out', '0');
      await etcdctl(endpoint, 'put', 'a', '1');
      const inside = await etcdctl(endpoint, 'get', '', '--prefix');
      return [
        inside,
        await etcdctl(stage.server.endpoint, 'get', 'ns', '--prefix'),
        await etcdctl(stage.server.endpoint, 'get', 'out'),
      ];
    },
  },
  {
    // etcd's proxy may keep a few apart that came at the same time; ours makes them one (tests of packages/proxy).
    name: 'equal watches are shared at the server',
    expected: ['fewer at the server', ...Array.from({ length: WATCHERS }, () => 'PUT w 1')],
    tell: async (stage) => {
      const { endpoint } = await stage.start();
      const tool = toolProgram('etcdctl', '3.7');
      if (!tool.found) throw new Error(tool.reason);
      const watch = () => new Child(tool.command, [`--endpoints=${endpoint}`, 'watch', 'w']);
      const children = [watch()];
      try {
        const watchers = /^etcd_debugging_mvcc_watcher_total /;
        await waitUntil('a watcher', TIMEOUT_MS, async () => (await metric(stage, watchers)) >= 1);
        while (children.length < WATCHERS) children.push(watch());
        // Others may still be on their way; writes until every one has seen something are seen by all in the end.
        await waitUntil('all watchers', TIMEOUT_MS, async () => {
          await etcdctl(endpoint, 'put', 'w', '1');
          return children.every(({ stdout }) => stdout !== '');
        });
        return [
          (await metric(stage, watchers)) < WATCHERS ? 'fewer at the server' : 'as many at the server',
          ...children.map(({ stdout }) => stdout.split('\n').slice(0, 3).join(' ')),
        ];
      } finally {
        for (const child of children) child.signal('SIGKILL');
      }
    },
  },
  {
    name: 'serializable ranges are answered by the proxy',
    expected: ['most by the proxy', 'a\n1', 'a\n2'],
    tell: async (stage) => {
      const { endpoint } = await stage.start();
      await etcdctl(endpoint, 'put', 'a', '1');
      const ranges = /^grpc_server_handled_total\{.*grpc_method="Range",grpc_service="etcdserverpb.KV"/;
      const before = await metric(stage, ranges);
      const first = await etcdctl(endpoint, 'get', 'a', '--consistency=s');
      await Promise.all(Array.from({ length: GETS }, () => etcdctl(endpoint, 'get', 'a', '--consistency=s')));
      const asked = (await metric(stage, ranges)) - before;
      await etcdctl(endpoint, 'put', 'a', '2');
      return [
        asked < GETS / 2 ? 'most by the proxy' : `${asked} by the server`,
        first,
        await etcdctl(endpoint, 'get', 'a', '--consistency=s'),
      ];
    },
  },
  {
    name: 'the member list shows the proxies',
    expected: ['0 started with a name  <proxy>', '0 started with a name  <proxy>', '0 started with a name  <proxy>'],
    tell: async (stage) => {
      const alone = await stage.start();
      const lines = masked(await members(alone, 1), alone);
      const flags = ['--resolver-prefix=proxies', '--resolver-ttl=5'];
      const [one, other] = [await stage.start(...flags), await stage.start(...flags)];
      return [...lines, ...masked(await members(one, 2), one, other)];
    },
  },
  {
    name: 'pages of the server and of the proxy',
    expected: [
      '/health 200 true',
      '/proxy/health 200 true',
      '/metrics 200 etcd_server_has_leader',
      '/proxy/metrics 200',
    ],
    tell: async (stage) => {
      const { endpoint } = await stage.start();
      const lines: string[] = [];
      for (const path of ['/health', '/proxy/health']) {
        const { status, body } = await page(endpoint, path);
        lines.push(`${path} ${status} ${(JSON.parse(body) as { health: string }).health}`);
      }
      const metrics = await page(endpoint, '/metrics');
      const [shown = ''] = /etcd_server_has_leader/.exec(metrics.body) ?? [];
      const own = await page(endpoint, '/proxy/metrics');
      return [...lines, `/metrics ${metrics.status} ${shown}`, `/proxy/metrics ${own.status}`];
    },
  },
  {
    name: 'a member is not promoted through a proxy',
    expected: ['rpc error: code = Unknown desc = not implemented'],
    tell: async (stage) => {
      const { endpoint } = await stage.start();
      const answer = await etcdctl(endpoint, 'member', 'promote', '1').catch(errorText);
      return [/^Error: (.*)$/m.exec(answer)?.[1] ?? answer];
    },
  },
  {
    name: 'reads that never go back',
    expected: ['OK', 'a\n1', 'a\n1', 'SUCCESS\n\nOK', 'a\n2', 'not streamed'],
    tell: async (stage) => {
      const { endpoint } = await stage.start('--experimental-serializable-ordering');
      const lines = [await etcdctl(endpoint, 'put', 'a', '1')];
      for (const consistency of ['l', 's']) {
        lines.push(await etcdctl(endpoint, 'get', 'a', `--consistency=${consistency}`));
      }
      lines.push(await swap(endpoint), await etcdctl(endpoint, 'get', 'a', '--consistency=s'));
      const streamed = await etcdctl(endpoint, 'get', 'a', '--stream').catch(errorText);
      return [...lines, /code = Unimplemented/.test(streamed) ? 'not streamed' : streamed];
    },
  },
  {
    name: 'a certificate of its own making, and profiles',
    expected: [
      'OK',
      'a\n1',
      '/debug/pprof/ 200',
      '/debug/pprof/cmdline 200',
      '/debug/pprof/no-such 404',
      'cert.pem key.pem',
    ],
    tell: async (stage) => {
      const { endpoint, data } = await stage.start('--auto-tls', '--enable-pprof');
      const tls = ['--insecure-transport=false', '--insecure-skip-tls-verify'];
      const secure = `https://${endpoint}`;
      const lines = [await etcdctl(secure, ...tls, 'put', 'a', '1'), await etcdctl(secure, ...tls, 'get', 'a')];
      for (const path of ['/debug/pprof/', '/debug/pprof/cmdline', '/debug/pprof/no-such']) {
        lines.push(`${path} ${(await page(endpoint, path, true)).status}`);
      }
      return [
        ...lines,
        readdirSync(join(data, 'fixtures', 'proxy'))
          .sort()
          .join(' '),
      ];
    },
  },
  {
    name: 'wrong flags',
    expected: [
      '1 invalid resolver-ttl 0',
      '1 invalid resolver-prefix ""',
      '1',
      '1 selfSignedCertValidity is invalid,it should be greater than 0',
    ],
    tell: async ({ kind }) => {
      const lines: string[] = [];
      const wrong = [['--resolver-prefix=x'], ['--resolver-ttl=1'], ['--no-such-flag']];
      for (const flags of [...wrong, ['--auto-tls', '--self-signed-cert-validity=0']]) {
        const program = serverProgram(kind);
        if (!program.found) throw new Error(program.reason);
        const { stdout, stderr, exit } = await run(program.command, [...program.args, 'grpc-proxy', 'start', ...flags]);
        const [text = ''] = /invalid resolver.*|selfSigned.*/.exec(`${stdout}${stderr}`) ?? [];
        lines.push(`${exit} ${text}`.trim());
      }
      return lines;
    },
  },
];

async function startProxy(
  kind: ServerKind,
  directory: string,
  backend: string,
  flags: readonly string[],
): Promise<Proxy> {
  const program = serverProgram(kind);
  if (!program.found) throw new Error(program.reason);
  const [port] = await freePorts(1);
  const endpoint = `127.0.0.1:${port}`;
  const own = [`--endpoints=${backend}`, `--listen-addr=${endpoint}`, `--advertise-client-url=${endpoint}`];
  const data = join(directory, `proxy-${port}`);
  mkdirSync(data);
  const args = [...program.args, 'grpc-proxy', 'start', ...own, `--data-dir=${data}`, ...flags];
  const child = new Child(program.command, args, { cwd: data });
  await waitUntil('the proxy to serve', TIMEOUT_MS, async () => {
    if (child.exit !== undefined) throw new Error(`the proxy ended: ${child.stderr}`);
    return page(endpoint, '/health', flags.includes('--auto-tls')).then(
      ({ status }) => status === 200,
      () => false,
    );
  });
  return { endpoint, data, child };
}

async function tell(story: Story, kind: ServerKind): Promise<string> {
  const directory = scratchDir('proxy');
  const server = await launchFresh(kind, directory);
  const children: Child[] = [];
  try {
    const stage: Stage = {
      kind,
      server,
      start: async (...flags) => {
        const proxy = await startProxy(kind, directory, server.endpoint, flags);
        children.push(proxy.child);
        return proxy;
      },
    };
    return (await story.tell(stage)).join('\n');
  } finally {
    for (const child of children) child.signal('SIGKILL');
    await server.stop();
    removeScratchDir(directory);
  }
}

/** Each story by the reference, which must tell what is expected, and by the server under test, which must tell the same. */
export async function runProxySuite(options: Options, report: Report): Promise<void> {
  for (const story of stories) {
    const name = `proxy ${story.name}`;
    if (!name.includes(options.filter)) continue;
    for (const kind of [options.reference, options.serverUnderTest]) {
      try {
        const told = await tell(story, kind);
        const expected = story.expected.join('\n');
        if (told === expected) report.pass(`${name}, ${kind}`);
        else report.fail(`${name}, ${kind}`, `expected\n${expected}\nfound\n${told}`);
      } catch (error) {
        report.fail(`${name}, ${kind}`, errorText(error));
      }
    }
  }
}
