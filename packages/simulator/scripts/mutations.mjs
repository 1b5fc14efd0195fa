// The mutation check of the simulator: whether it would notice the mistakes of mutation-table.mjs.
//
//     npm run sim:mutations                  each with seeds from 1 on, until one fails
//     npm run sim:mutations -- lease watch   only those with such a word in their name
//     npm run sim:mutations -- --from 1000   with other seeds
//
// Each is made while the built product is loaded, in a process of its own; the sources have no hooks for it. It fails when one
// is not caught within its number of seeds, when its text is stale, and when seeds fail without any mutation.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutations } from './mutation-table.mjs';

const scripts = dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: 'string', default: '1' },
    operations: { type: 'string', default: '400' },
    jobs: { type: 'string', default: '2' },
  },
});
const chosen = mutations.filter(
  ({ name }) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
);
/** A mutant that runs so long without an answer hangs, which is a catch, too. */
const hangMs = 600_000;
const baselineSeeds = 20;

/** @returns {Promise<{ found: { seed: number, checker: string, text: string } | null, runs: number }>} */
function find(name, seeds) {
  return new Promise((resolve, reject) => {
    const args = [join(scripts, 'find-violation.mjs'), name, String(seeds), values.from, values.operations];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    let isHung = false;
    const timer = setTimeout(() => {
      isHung = true;
      child.kill('SIGKILL');
    }, hangMs);
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (isHung) resolve({ found: { seed: Number.NaN, checker: 'process', text: 'hangs' }, runs: 0 });
      else if (errors.includes('stale mutation')) reject(new Error(/stale mutation.*/.exec(errors)?.[0]));
      else if (code !== 0)
        resolve({
          found: { seed: Number.NaN, checker: 'process', text: `crashes: ${errors.trim().split('\n')[0]}` },
          runs: 0,
        });
      else resolve(JSON.parse(output.trim().split('\n').at(-1) ?? 'null'));
    });
  });
}

let isFine = true;
const waiting = [...chosen];
const rows = new Map();
const { found: baseline } = await find('none', baselineSeeds);
if (baseline !== null) {
  console.error(
    `sim:mutations: seed ${baseline.seed} fails without any mutation: ${baseline.checker}: ${baseline.text}`,
  );
  process.exit(1);
}
await Promise.all(
  Array.from({ length: Number(values.jobs) }, async () => {
    for (let mutation = waiting.shift(); mutation !== undefined; mutation = waiting.shift()) {
      let text;
      try {
        const { found, runs } = await find(mutation.name, mutation.seeds);
        if (found === null) isFine = false;
        text =
          found === null
            ? `NOT CAUGHT in ${runs} seeds`
            : `seed ${found.seed}, ${found.checker}: ${found.text.slice(0, 160)}`;
      } catch (error) {
        isFine = false;
        text = String(error);
      }
      rows.set(mutation.name, text);
      console.log(`${mutation.name.padEnd(50)} ${text}`);
    }
  }),
);
const caught = [...rows.values()].filter((text) => text.startsWith('seed')).length;
console.log(`${caught} of ${chosen.length} mutations caught`);
if (!isFine) process.exitCode = 1;
