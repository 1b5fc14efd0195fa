// The import table: reads rooms.json and fails on an import that crosses it, on a reach into another package's inside, and on
// clocks, randomness, timers, `process` or `node:` imports below the edge.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const rooms = JSON.parse(readFileSync(join(root, 'rooms.json'), 'utf8')).packages;
const folderOf = (packageName) => rooms[packageName].folder ?? join('packages', packageName);
const nameOfPackage = (specifier) => {
  if (specifier === 'quorate' || specifier.startsWith('quorate/')) return 'server';
  return /^@quorate\/([a-z]+)/.exec(specifier)?.[1];
};

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

/** Comments and strings are blanked for the search of impure names, imports are read from the full text. */
export function withoutCommentsAndStrings(text) {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, (part) =>
    part.replace(/[^\n]/g, ' '),
  );
}

const impure =
  /\b(?:Date\b(?=\s*[.(])|new Date\b|Math\.random|performance\.|process\.|setTimeout\b|setInterval\b|setImmediate\b|queueMicrotask\b|require\s*\(|Buffer\.)/;
const importPattern =
  /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/g;

export function crossings(packageName, fileName, text, table = rooms) {
  const room = table[packageName];
  const found = [];
  const isOfTests = fileName.endsWith('.test.ts') || fileName.includes('/testing/');
  const edge = isOfTests || room.edges.some((folder) => fileName.startsWith(`${folder}/`));
  for (const match of text.matchAll(importPattern)) {
    const specifier = match[1] ?? match[2] ?? match[3];
    if (specifier.startsWith('.')) {
      if (!specifier.endsWith('.ts')) found.push(`relative import without .ts: ${specifier}`);
      continue;
    }
    if (specifier.startsWith('node:')) {
      if (!edge) found.push(`${specifier} below the edge`);
      continue;
    }
    const target = nameOfPackage(specifier);
    if (target === undefined || target === packageName) continue;
    if (!room.imports.includes(target) && !fileName.endsWith('.test.ts'))
      found.push(`${specifier} is not a room below`);
    if (/^(?:@quorate\/[a-z]+|quorate)\/(?!(?:node|parts)$)/.test(specifier)) found.push(`${specifier} reaches inside`);
    if (specifier.endsWith('/node') && !edge) found.push(`${specifier} below the edge`);
  }
  if (!edge) {
    const hit = impure.exec(withoutCommentsAndStrings(text));
    if (hit) found.push(`impure: ${hit[0]}`);
  }
  return found;
}

test('every import follows the table of rooms and the core is pure', () => {
  const found = [];
  for (const packageName of Object.keys(rooms)) {
    const folder = folderOf(packageName);
    const base = join(root, folder);
    for (const path of sources(join(base, 'src'))) {
      const fileName = relative(base, path);
      for (const crossing of crossings(packageName, fileName, readFileSync(path, 'utf8'))) {
        found.push(`${folder}/${fileName}: ${crossing}`);
      }
    }
  }
  assert.deepEqual(found, []);
});

test('a package declares the dependencies its room allows and no other of ours', () => {
  for (const [packageName, room] of Object.entries(rooms)) {
    const manifest = JSON.parse(readFileSync(join(root, folderOf(packageName), 'package.json'), 'utf8'));
    const ours = Object.keys(manifest.dependencies ?? {})
      .map(nameOfPackage)
      .filter(Boolean);
    assert.deepEqual(
      ours.filter((name) => !room.imports.includes(name)),
      [],
      packageName,
    );
  }
});

test('the check itself sees crossings', () => {
  const table = { low: { imports: [], edges: ['src/node'] }, base: { imports: [], edges: [] } };
  const see = (fileName, text) => crossings('low', fileName, text, table).length;
  assert.equal(see('src/a.ts', "import { x } from '@quorate/base';"), 1);
  assert.equal(see('src/a.ts', "import fs from 'node:fs';"), 1);
  assert.equal(see('src/node/a.ts', "import fs from 'node:fs';"), 0);
  assert.equal(see('src/a.ts', 'const t = Date.now();'), 1);
  assert.equal(see('src/a.ts', '// Date.now() would be wrong here'), 0);
  assert.equal(see('src/a.ts', "import { x } from '@quorate/base/src/bytes.ts';"), 2);
});
