import type { Options } from '../options.ts';
import type { RunResult } from '../support/process.ts';
import type { ClientVersion, ServerKind } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import type { RunningServer } from '../support/server.ts';
import { errorText } from '../support/text.ts';
import type { LeafFiles } from './certificates.ts';
import type { TlsWorld } from './client-parts.ts';
import { etcdctl, launchSecure, outcomeText } from './secure-server.ts';

interface Step {
  readonly as: string;
  readonly command: readonly string[];
  /** What the reference has to do with it. */
  readonly works: boolean;
}

const step = (as: string, works: boolean, command: string): Step => ({ as, works, command: command.split(' ') });

/** Who a client is by the common name of its certificate, once authentication is on. */
const steps: readonly Step[] = [
  step('alice', true, 'user add root:secret'),
  step('alice', true, 'user grant-role root root'),
  step('alice', true, 'user add alice --no-password'),
  step('alice', true, 'role add reader'),
  step('alice', true, 'role grant-permission reader read a'),
  step('alice', true, 'user grant-role alice reader'),
  step('alice', true, 'put a 1'),
  step('alice', true, 'auth enable'),
  step('alice', true, 'get a'),
  step('alice', false, 'get b'),
  step('alice', false, 'put a 2'),
  step('alice', false, 'user add bob:secret'),
  step('root', true, 'put a 3'),
  step('root', true, 'user get alice'),
  step('stranger', false, 'get a'),
  step('nobody', false, 'get a'),
  // What is said by a name and a password counts before the certificate.
  step('alice', true, 'put a 4 --user=root:secret'),
  step('root', false, 'put a 5 --user=root:wrong'),
  step('root', true, 'auth disable'),
  step('stranger', true, 'get a'),
];

interface IdentityRun {
  readonly version: ClientVersion;
  readonly reference: ServerKind;
  readonly options: Options;
  readonly report: Report;
}

/** The same steps by clients with the same certificates on both servers. */
export async function runIdentityPart(world: TlsWorld, run: IdentityRun): Promise<void> {
  const { version, reference, options, report } = run;
  const name = `tls ${version}, common names as users`;
  if (!name.includes(options.filter)) return;
  const { authority, server, folder } = world;
  const clients = new Map<string, LeafFiles>();
  for (const [as, commonName] of [
    ...['alice', 'root', 'stranger'].map((common) => [common, common] as const),
    ['nobody', ''] as const,
  ]) {
    clients.set(as, await authority.issue(`user-${as}`, { commonName }));
  }
  const args = [
    ...[`--cert-file=${server.cert}`, `--key-file=${server.key}`],
    ...['--client-cert-auth', `--trusted-ca-file=${authority.file}`],
  ];
  const servers: RunningServer[] = [];
  try {
    for (const kind of [reference, options.serverUnderTest]) servers.push(await launchSecure(kind, folder, args));
    for (const { as, command, works } of steps) {
      const { cert, key } = clients.get(as) as LeafFiles;
      const flags = [`--cacert=${authority.file}`, `--cert=${cert}`, `--key=${key}`];
      const ask = ({ endpoint }: RunningServer) => etcdctl(version, `https://${endpoint}`, [...flags, ...command]);
      const [expected, got] = (await Promise.all(servers.map(ask))) as [RunResult, RunResult];
      const what = `${name}: ${as}: ${command.join(' ')}`;
      if ((expected.exit === 0) !== works) report.fail(what, `the reference: ${outcomeText(expected)}`);
      else if (outcomeText(got) === outcomeText(expected)) report.pass(what);
      else report.fail(what, `expected ${outcomeText(expected)}\ngot ${outcomeText(got)}`);
    }
  } catch (error) {
    report.fail(name, errorText(error));
  } finally {
    for (const one of servers) await one.stop();
  }
}
