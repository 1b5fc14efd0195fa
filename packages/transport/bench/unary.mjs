// Unary requests a second of an empty (or echo) handler under h2load.
//   node bench/unary.mjs [seconds] [--echo BYTES] [--connections N] [--streams N] [--prof DIR]
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createGrpcServer } from '@quorate/transport';
import { listen } from '@quorate/transport/node';

const args = process.argv.slice(2);
const option = (name, fallback) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? fallback : args[at + 1];
};

if (args[0] === 'serve') {
  const server = createGrpcServer({ clock: new NodeClock(), logger: silentLogger });
  server.registerUnary('/bench.Bench/Empty', (call, message) => call.reply(message, 0, 0));
  server.registerUnary('/bench.Bench/Echo', (call, message) => call.reply(message, 0, message.length));
  const listener = await listen(server, { host: '127.0.0.1' });
  process.stdout.write(`${listener.port}\n`);
  process.stdin.on('end', () => process.exit(0)).resume();
} else {
  const seconds = Number(args[0] ?? 5);
  const bytes = Number(option('echo', '0'));
  const profile = option('prof', '');
  const flags = profile === '' ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const child = spawn(process.execPath, [...flags, fileURLToPath(import.meta.url), 'serve'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const port = await new Promise((resolve) => child.stdout.once('data', (text) => resolve(Number(text))));
  const body = join(mkdtempSync(join(tmpdir(), 'quorate-bench-')), 'body');
  const message = Buffer.alloc(5 + bytes, 0x61);
  message[0] = 0;
  message.writeUInt32BE(bytes, 1);
  writeFileSync(body, message);
  const method = bytes === 0 ? 'Empty' : 'Echo';
  const output = execFileSync('h2load', [
    `--duration=${seconds}`,
    '--warm-up-time=1',
    `-c${option('connections', '10')}`,
    `-m${option('streams', '50')}`,
    '-t1',
    `-d${body}`,
    '-H',
    'content-type: application/grpc',
    '-H',
    'te: trailers',
    `http://127.0.0.1:${port}/bench.Bench/${method}`,
  ]).toString();
  for (const line of output.split('\n'))
    if (/^(finished|requests|status|traffic|time for request)/.test(line)) console.log(line);
  child.stdin.end();
}
