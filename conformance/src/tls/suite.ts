import type { Options } from '../options.ts';
import { type ClientVersion, referenceOf, type ServerKind, serverProgram, toolProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { type RunningServer, removeScratchDir, scratchDir } from '../support/server.ts';
import { errorText } from '../support/text.ts';
import { CertificateAuthority } from './certificates.ts';
import { type ClientPart, makeClientParts, type TlsWorld, type Visit } from './client-parts.ts';
import { runIdentityPart } from './identity-part.ts';
import { runPeerParts } from './peer-parts.ts';
import { runReloadPart } from './reload-part.ts';
import { etcdctl, handshake, launchSecure, outcomeText, rejections } from './secure-server.ts';
import { runStartParts } from './start-parts.ts';

/** TLS of client and peer ports, against the real etcd with the same certificates. */
export async function runTlsSuite(options: Options, report: Report): Promise<void> {
  const folder = scratchDir('tls');
  const authority = await CertificateAuthority.create(folder, 'authority');
  const other = await CertificateAuthority.create(folder, 'other-authority');
  const [server, client] = [await authority.issue('server'), await authority.issue('client')];
  const world: TlsWorld = { folder, authority, other, server, client };
  const parts = await makeClientParts(world);
  for (const version of options.clients) {
    const reference = referenceOf(version);
    const missing = [serverProgram(reference), toolProgram('etcdctl', version)].find((program) => !program.found);
    if (missing?.found === false) {
      report.skip(`tls with etcdctl ${version}`, missing.reason);
      continue;
    }
    for (const part of parts) {
      const name = `tls ${version}, ${part.name}`;
      if (!name.includes(options.filter) || (part.needs37 && version === '3.4')) continue;
      await runClientPart(name, part, { version, reference, options, report, folder });
    }
    await runIdentityPart(world, { version, reference, options, report });
    await runReloadPart(world, { version, reference, options, report });
  }
  await runStartParts(world, options, report);
  await runPeerParts(world, options, report);
  if (!options.keep) removeScratchDir(folder);
}

interface ClientRun {
  readonly version: ClientVersion;
  readonly reference: ServerKind;
  readonly options: Options;
  readonly report: Report;
  readonly folder: string;
}

async function runClientPart(name: string, part: ClientPart, run: ClientRun): Promise<void> {
  const { version, reference, options, report, folder } = run;
  const servers: RunningServer[] = [];
  try {
    for (const kind of [reference, options.serverUnderTest]) {
      servers.push(await launchSecure(kind, folder, part.args, part.systemAuthorities));
    }
    const [theirs, ours] = servers as [RunningServer, RunningServer];
    // All at once: each refusal takes the whole time that a client tries.
    await Promise.all(
      part.visits.map(async (visit) => {
        const [expected, got] = await Promise.all([pay(visit, theirs, version), pay(visit, ours, version)]);
        const step = `${name}: ${visit.name}`;
        if (expected.works !== visit.works) report.fail(step, `the reference: ${expected.text}`);
        else if (got.text === expected.text) report.pass(step);
        else report.fail(step, `expected ${expected.text}\ngot ${got.text}`);
      }),
    );
    // 3.4 words some reasons otherwise.
    if (version === '3.7' && !part.logsNothing) compareRejections(name, theirs, ours, report);
  } catch (error) {
    report.fail(name, errorText(error));
  } finally {
    for (const server of servers) await server.stop();
  }
}

function compareRejections(name: string, theirs: RunningServer, ours: RunningServer, report: Report): void {
  const [expected, got] = [rejections(theirs, 'client'), rejections(ours, 'client')];
  const step = `${name}: reasons in the log`;
  if (expected.join('\n') === got.join('\n')) report.pass(step);
  else report.fail(step, `expected\n${expected.join('\n')}\ngot\n${got.join('\n')}`);
}

interface Outcome {
  readonly works: boolean;
  readonly text: string;
}

async function pay(visit: Visit, server: RunningServer, version: ClientVersion): Promise<Outcome> {
  if ('handshake' in visit) {
    const agreed = await handshake(server.clientPort, visit.handshake);
    return { works: agreed !== 'refused', text: agreed };
  }
  const endpoint = `${visit.scheme ?? 'https'}://${server.endpoint}`;
  const result = await etcdctl(version, endpoint, [...visit.flags, 'put', 'key', 'value']);
  return { works: result.exit === 0, text: outcomeText(result) };
}
