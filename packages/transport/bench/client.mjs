// Unary calls a second of our client against our server, each in a process of its own.
//   node bench/client.mjs [seconds] [--calls 200] [--bytes 0] [--timeout MS] [--prof DIR]
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SeededRandom, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createGrpcClient } from '@quorate/transport/node';

const args = process.argv.slice(2);
const option = (name, fallback) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? fallback : args[at + 1];
};
const seconds = Number(args[0] ?? 4);
const calls = Number(option('calls', '200'));
const timeout = option('timeout', '');
const profile = option('prof', '');
const flags = profile === '' ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
const server = fileURLToPath(new URL('./unary.mjs', import.meta.url));
const child = spawn(process.execPath, [...flags, server, 'serve'], { stdio: ['pipe', 'pipe', 'inherit'] });
const port = await new Promise((resolve) => child.stdout.once('data', (text) => resolve(Number(text))));
const client = createGrpcClient(
  { clock: new NodeClock(), logger: silentLogger, random: new SeededRandom(1) },
  { address: `127.0.0.1:${port}` },
);
const request = new Uint8Array(Number(option('bytes', '0')));
const options = timeout === '' ? {} : { timeoutMs: Number(timeout) };

async function measure(name, start) {
  let done = 0;
  let running = calls;
  const began = performance.now();
  const until = began + seconds * 1000;
  /** @type {Promise<void>} */
  const all = new Promise((resolve, reject) => {
    const next = (code) => {
      if (code !== 0) reject(new Error(`status ${code}`));
      else {
        done++;
        if (performance.now() < until) start(next);
        else if (--running === 0) resolve();
      }
    };
    for (let i = 0; i < calls; i++) start(next);
  });
  await all;
  console.log(`${name}: ${Math.round((done / (performance.now() - began)) * 1000)} calls/s`);
}

await measure('callback', (next) => client.unaryCallback('/bench.Bench/Echo', request, options, next));
await measure('promise ', (next) => void client.unary('/bench.Bench/Echo', request, options).then(() => next(0)));
client.close();
child.stdin.end();
process.exit(0);
