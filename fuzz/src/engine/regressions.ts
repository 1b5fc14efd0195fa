import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Inputs once found to break a target, by its name; played again by every test run. */
export const regressionsFolder = join(root, 'regressions');
/** Files that the real etcd wrote, see scripts/make-corpus.mjs. */
const corpusFolder = join(root, 'corpus');

function filesOf(folder: string): Map<string, Uint8Array> {
  if (!existsSync(folder)) return new Map();
  const names = readdirSync(folder).sort();
  return new Map(names.map((name) => [name, Uint8Array.from(readFileSync(join(folder, name)))]));
}

export function regressionsOf(target: string): Map<string, Uint8Array> {
  return filesOf(join(regressionsFolder, target));
}

export function etcdFiles(kind: string): Map<string, Uint8Array> {
  return filesOf(join(corpusFolder, kind));
}

/** @returns where it is. */
export function saveRegression(target: string, input: Uint8Array): string {
  const folder = join(regressionsFolder, target);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${createHash('sha256').update(input).digest('hex').slice(0, 12)}.bin`);
  writeFileSync(path, input);
  return path;
}
