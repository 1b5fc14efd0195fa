import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '../options.ts';
import { Child } from '../support/process.ts';
import { type ClientVersion, type ServerKind, toolProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { errorText } from '../support/text.ts';
import type { LeafFiles } from './certificates.ts';
import type { TlsWorld } from './client-parts.ts';
import { etcdctl, launchSecure } from './secure-server.ts';

const EVENT_TIMEOUT_MS = 10_000;

interface ReloadRun {
  readonly version: ClientVersion;
  readonly reference: ServerKind;
  readonly options: Options;
  readonly report: Report;
}

/** A certificate is replaced while a watch goes on: new clients see the new one, the watch sees what they write. */
export async function runReloadPart(world: TlsWorld, run: ReloadRun): Promise<void> {
  const { version, reference, options, report } = run;
  for (const kind of [reference, options.serverUnderTest]) {
    const name = `tls ${version}, reload of ${kind}`;
    if (!name.includes(options.filter)) continue;
    try {
      await reload(world, version, kind);
      report.pass(name);
    } catch (error) {
      report.fail(name, errorText(error));
    }
  }
}

async function reload(world: TlsWorld, version: ClientVersion, kind: ServerKind): Promise<void> {
  const live: LeafFiles = { cert: join(world.folder, 'live.crt'), key: join(world.folder, 'live.key') };
  const put = (files: LeafFiles) => {
    copyFileSync(files.cert, live.cert);
    copyFileSync(files.key, live.key);
  };
  const [first, second] = [await world.authority.issue('first'), await world.other.issue('second')];
  put(first);
  const server = await launchSecure(kind, world.folder, [`--cert-file=${live.cert}`, `--key-file=${live.key}`]);
  const endpoint = `https://${server.endpoint}`;
  const trusting = (file: string, ...command: readonly string[]) =>
    etcdctl(version, endpoint, [`--cacert=${file}`, ...command]);
  const program = toolProgram('etcdctl', version);
  if (!program.found) throw new Error(program.reason);
  const watchArgs = [`--endpoints=${endpoint}`, `--cacert=${world.authority.file}`, 'watch', '--prefix', 'k'];
  const watch = new Child(program.command, [...program.args, ...watchArgs], { env: { ETCDCTL_API: '3' } });
  try {
    const sees = async (value: string) => {
      const hasCome = await watch.waitForOutput(() => watch.stdout.includes(value), EVENT_TIMEOUT_MS);
      if (!hasCome) throw new Error(`the watch did not see ${value}\n${watch.stdout}${watch.stderr}`);
    };
    // The watch may not stand yet when the first is written.
    for (let tries = 0; tries < 50 && !watch.stdout.includes('before'); tries++) {
      await expectExit(0, 'the first authority, before', trusting(world.authority.file, 'put', 'k', 'before'));
    }
    await sees('before');
    put(second);
    await expectExit(0, 'the second authority, after', trusting(world.other.file, 'put', 'k2', 'after'));
    await expectExit(1, 'the first authority, after', trusting(world.authority.file, 'put', 'k3', 'never'));
    await sees('after');
    put(first);
    await expectExit(0, 'the first authority, at the end', trusting(world.authority.file, 'put', 'k4', 'again'));
    await sees('again');
    if (watch.stdout.includes('never')) throw new Error('what was refused was written');
  } finally {
    watch.signal('SIGKILL');
    await watch.exited;
    await server.stop();
  }
}

async function expectExit(
  exit: number,
  who: string,
  running: Promise<{ readonly exit: number | string; readonly stderr: string }>,
): Promise<void> {
  const result = await running;
  if (result.exit !== exit) throw new Error(`${who}: exit ${result.exit}\n${result.stderr}`);
}
