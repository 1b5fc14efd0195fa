// Runs a module that imports '@quorate/raft' in a world that has the language, a console and the named globals of browsers,
// and nothing of Node. The library's modules may import each other by relative paths only, as a browser loads them.
// Usage: node --experimental-vm-modules scripts/browser.mjs FILE [GLOBAL...]
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import vm from 'node:vm';

const library = new URL('../dist/index.js', import.meta.url).href;
const [file, ...names] = process.argv.slice(2);

const world = vm.createContext({ console });
for (const name of names) world[name] = globalThis[name];
for (const name of ['Buffer', 'global', 'process', 'require', 'setImmediate']) {
  assert.equal(vm.runInContext(`typeof ${name}`, world), 'undefined');
}

const modules = new Map();

function load(url) {
  const loaded = modules.get(url);
  if (loaded !== undefined) return loaded;
  const module = new vm.SourceTextModule(readFileSync(fileURLToPath(url), 'utf8'), { identifier: url, context: world });
  modules.set(url, module);
  return module;
}

function link(specifier, from) {
  if (specifier === '@quorate/raft' && from === program) return load(library);
  assert.match(specifier, /^\.\.?\//, `import of ${specifier} in ${from.identifier}`);
  return load(new URL(specifier, from.identifier).href);
}

const program = load(pathToFileURL(file).href);
await program.link(link);
await program.evaluate();
