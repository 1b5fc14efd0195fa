import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';
import { isIdentifier } from 'typescript/unstable/ast/is';
import { API, type Project, SymbolFlags, type Symbol as TypeSymbol } from 'typescript/unstable/sync';

// Reads the built declarations as an editor does, from index.d.ts on: all that a user can name is explained, and all that
// it refers to can be named too.

const index = fileURLToPath(new URL('../../index.d.ts', import.meta.url));

const members: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.MethodSignature,
  SyntaxKind.PropertyDeclaration,
  SyntaxKind.PropertySignature,
]);

let folder: string;
let api: API;
let project: Project;
/** Declarations by the name they are exported under. A name may have two, of a value and a type. */
const surface = new Map<string, readonly Node[]>();

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-raft-docs-'));
  const config = join(folder, 'tsconfig.json');
  const compilerOptions = { target: 'ES2023', lib: ['ES2023'], module: 'NodeNext', types: [] };
  writeFileSync(config, JSON.stringify({ compilerOptions, files: [index] }));
  api = new API({ cwd: folder });
  project = api.updateSnapshot({ openProjects: [config] }).getProject(config) as Project;
  const { checker, program } = project;
  const module = checker.getSymbolAtLocation(program.getSourceFile(index) as SourceFile) as TypeSymbol;
  for (const exported of checker.getExportsOfModule(module)) {
    surface.set(exported.name, declarationsOf(exported));
  }
});

after(() => {
  api.close();
  rmSync(folder, { recursive: true });
});

function declarationsOf(symbol: TypeSymbol): Node[] {
  const named = symbol.flags & SymbolFlags.Alias ? project.checker.getAliasedSymbol(symbol) : symbol;
  return named.declarations.map((handle) => handle.resolve(project) as Node);
}

/** A constant's docstring stands before the statement. */
function isDocumented(node: Node): boolean {
  const place = node.kind === SyntaxKind.VariableDeclaration ? node.parent.parent : node;
  return place.jsDoc !== undefined && place.jsDoc.length > 0;
}

function isOurs(node: Node): boolean {
  return node.getSourceFile().fileName.startsWith(dirname(index));
}

function isPrivate(node: Node): boolean {
  return /^(?:private|protected)\b/.test(node.getText());
}

function children(node: Node): Node[] {
  const found: Node[] = [];
  node.forEachChild((child) => {
    found.push(child);
  });
  return found;
}

/** Public members of a class, interface, type or constant. What a function returns is told in its own docstring. */
function membersOf(node: Node): Node[] {
  if (node.kind === SyntaxKind.FunctionDeclaration) return [];
  return children(node).flatMap((child) => {
    if (!members.has(child.kind)) return membersOf(child);
    return isPrivate(child) ? [] : [child];
  });
}

function nameOf(member: Node): string {
  return children(member).find(isIdentifier)?.getText() ?? 'constructor';
}

test('every export and every public member has a docstring', () => {
  assert.ok(surface.size > 80, 'index.d.ts was read');
  const missing: string[] = [];
  for (const [name, declarations] of surface) {
    if (!declarations.some(isDocumented)) missing.push(name);
    for (const member of declarations.flatMap(membersOf)) {
      if (!isDocumented(member)) missing.push(`${name}.${nameOf(member)}`);
    }
  }
  assert.deepEqual(missing, []);
});

/** Identifiers in the public part of a declaration. */
function identifiersOf(node: Node): Node[] {
  if (isIdentifier(node)) return [node];
  return members.has(node.kind) && isPrivate(node) ? [] : children(node).flatMap(identifiersOf);
}

test('what public declarations refer to is exported too', () => {
  const exported = new Set([...surface.values()].flat());
  const hidden: string[] = [];
  for (const [name, declarations] of surface) {
    for (const identifier of declarations.flatMap(identifiersOf)) {
      const symbol = project.checker.getSymbolAtLocation(identifier);
      if (symbol === undefined) continue;
      const [declaration] = declarationsOf(symbol);
      if (declaration === undefined || exported.has(declaration)) continue;
      // A member, a parameter or a type parameter belongs to what it stands in; the rest of the language is in other files.
      if (declaration.parent.kind !== SyntaxKind.SourceFile || !isOurs(declaration)) continue;
      hidden.push(`${name} refers to ${identifier.getText()}`);
    }
  }
  assert.deepEqual(hidden, []);
});

/** Rows of the README's first table under a heading, without the head. */
function tableOf(heading: string): string[][] {
  const readme = readFileSync(join(dirname(index), '../README.md'), 'utf8');
  const [, section] = readme.split(`\n## ${heading}\n`);
  assert.ok(section, heading);
  const rows = section.slice(section.indexOf('\n|') + 1).split(/\n(?!\|)/, 1)[0] as string;
  const cells = rows.split('\n').map((row) => row.split('|').map((cell) => cell.trim()));
  return cells.slice(2).map((row) => row.slice(1, -1));
}

test("the README's table of options has them all", () => {
  const options = surface.get('RaftConfig')?.flatMap(membersOf).map(nameOf);
  assert.deepEqual(
    tableOf('Options').map(([name]) => name?.replaceAll('`', '')),
    options,
  );
});

test('the names that stand for those of Go are there', () => {
  const known = new Set([...surface.keys(), ...[...surface.values()].flat().flatMap(membersOf).map(nameOf)]);
  const code = tableOf("For those who know etcd's library").flatMap(([, ours]) => ours?.match(/`[^`]*`/g) ?? []);
  const names = code.flatMap((text) => /^`(?:new )?(\w+)(?:\.(\w+))?[(`]/.exec(text)?.slice(1) ?? []);
  assert.ok(names.length > 50);
  assert.deepEqual(
    names.filter((name) => name !== undefined && !known.has(name)),
    [],
  );
});
