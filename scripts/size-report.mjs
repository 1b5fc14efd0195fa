// Lists functions over 70 lines and files over 500 in the sources: places to look, not a verdict. A function that is long
// for a reason says so in a comment `size: REASON` on the line before it. `--strict` fails when one has no reason.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const functionLinesMax = 70;
const fileLinesMax = 500;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (['node_modules', 'dist', 'generated'].includes(entry.name) || entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

// The formatter puts a function's closing brace alone at the indentation of the line that opens it, so lines suffice.
const opening =
  /^(\s*)(?:export )?(?:(?:async )?function\*? ?(\w+)|(?:(?:private|public|protected|static|override|async|get|set) )*\*?(\w+)\(.*\)(?:: [^=]+)? \{$|(?:const|let) (\w+)(?:: [^=]+)? = (?:async )?(?:\(.*\)|\w+)(?:: [^=]+)? => \{$)/;
const notFunctions = new Set(['if', 'for', 'while', 'switch', 'catch', 'test', 'describe', 'it']);

function longFunctions(lines) {
  const found = [];
  for (let i = 0; i < lines.length; i++) {
    const match = opening.exec(lines[i]);
    const name = match?.[2] ?? match?.[3] ?? match?.[4];
    if (match === null || !name || notFunctions.has(name)) continue;
    const closing = `${match[1]}}`;
    let end = i + 1;
    while (end < lines.length && lines[end] !== closing && lines[end] !== `${closing};`) end++;
    const length = end - i + 1;
    if (end < lines.length && length > functionLinesMax) {
      const reason = /size: (.*)/.exec(lines[i - 1] ?? '')?.[1];
      found.push({ line: i + 1, name, length, reason });
    }
  }
  return found;
}

let functions = 0;
let files = 0;
let unexplained = 0;
for (const top of ['packages', 'examples', 'bench', 'conformance', 'fuzz']) {
  for (const path of sources(join(root, top))) {
    const lines = readFileSync(path, 'utf8').split('\n');
    const name = relative(root, path);
    if (name.includes('.test.')) continue;
    if (lines.length > fileLinesMax) {
      files++;
      console.log(`file      ${name}: ${lines.length} lines`);
    }
    for (const { line, name: functionName, length, reason } of longFunctions(lines)) {
      functions++;
      if (!reason) unexplained++;
      console.log(`function  ${name}:${line} ${functionName}: ${length} lines${reason ? ` (${reason})` : ''}`);
    }
  }
}
console.log(`size report: ${functions} functions over ${functionLinesMax} lines, ${files} files over ${fileLinesMax}`);
if (process.argv.includes('--strict') && unexplained > 0) process.exit(1);
