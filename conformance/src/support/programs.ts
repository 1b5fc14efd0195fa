import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** conformance/ and the repository root, seen from conformance/dist/support/. */
export const conformanceDir = fileURLToPath(new URL('../..', import.meta.url));
export const repositoryDir = fileURLToPath(new URL('../../..', import.meta.url));
const binDir = join(conformanceDir, '.bin');

export type ServerKind = 'quorate' | 'etcd34' | 'etcd37';
export type ClientVersion = '3.4' | '3.7';

export const serverKinds: readonly ServerKind[] = ['quorate', 'etcd34', 'etcd37'];

/** A command to start with its fixed leading arguments, or why there is none. */
export type Program =
  | { readonly found: true; readonly command: string; readonly args: readonly string[] }
  | { readonly found: false; readonly reason: string };

export function onPath(name: string): string | undefined {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(directory, name);
    if (directory !== '' && existsSync(candidate)) return candidate;
  }
  return undefined;
}

/** What scripts/build-go.mjs makes. */
const builtPrograms = ['etcd37', 'etcdctl37', 'etcdutl37', 'bbolt', 'filecheck'] as const;

/** Those of them that are not there. */
export function missingPrograms(): string[] {
  return builtPrograms.filter((name) => !existsSync(join(binDir, name)));
}

function built(name: (typeof builtPrograms)[number]): Program {
  const command = join(binDir, name);
  if (existsSync(command)) return { found: true, command, args: [] };
  return { found: false, reason: `${name} is not built (npm run build-go -w @quorate/conformance)` };
}

function installed(name: string, variable: string): Program {
  const command = process.env[variable] ?? onPath(name);
  if (command !== undefined && existsSync(command)) return { found: true, command, args: [] };
  return { found: false, reason: `${name} 3.4 is not installed (set ${variable} to its path)` };
}

function quorate(): Program {
  const given = process.env.QUORATE_COMMAND;
  if (given !== undefined && given !== '') {
    const [command, ...args] = given.split(' ');
    return { found: true, command: command ?? given, args };
  }
  const direct = join(repositoryDir, 'bin', 'quorate');
  if (existsSync(direct)) return { found: true, command: direct, args: [] };
  const script = join(repositoryDir, 'bin', 'quorate.mjs');
  if (existsSync(script)) return { found: true, command: process.execPath, args: [script] };
  return {
    found: false,
    reason: 'bin/quorate and bin/quorate.mjs are missing (QUORATE_COMMAND names another command)',
  };
}

export function serverProgram(kind: ServerKind): Program {
  switch (kind) {
    case 'quorate':
      return quorate();
    case 'etcd34':
      return installed('etcd', 'ETCD34');
    case 'etcd37':
      return built('etcd37');
    default:
      return kind satisfies never;
  }
}

export type ToolName = 'etcdctl' | 'etcdutl';

/** The tool of a client version. 3.4 has no etcdutl: its etcdctl does the offline work. */
export function toolProgram(tool: ToolName, version: ClientVersion): Program {
  if (version === '3.7') return built(`${tool}37`);
  if (tool === 'etcdutl') return { found: false, reason: 'there is no etcdutl 3.4' };
  return installed('etcdctl', 'ETCDCTL34');
}

export function bboltProgram(): Program {
  return built('bbolt');
}

/** Reads logs and snapshot files by etcd's packages; conformance/go/filecheck. */
export function fileCheckProgram(): Program {
  return built('filecheck');
}

export function referenceOf(version: ClientVersion): ServerKind {
  return version === '3.4' ? 'etcd34' : 'etcd37';
}
