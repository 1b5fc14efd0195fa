// Runs h2spec (generic, http2, hpack) against our server; all must pass.
//   node scripts/h2spec.mjs [PATH TO h2spec] [further arguments of h2spec]
// Without a path: the one that `npm run build-go -w @quorate/conformance` builds.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createGrpcServer } from '@quorate/transport';
import { listen } from '@quorate/transport/node';

const built = fileURLToPath(new URL('../../../conformance/.bin/h2spec', import.meta.url));
const [binary = built, ...rest] = process.argv.slice(2);
const body = Buffer.from('a small body for the flow control tests\n');
const server = createGrpcServer(
  { clock: new NodeClock(), logger: silentLogger },
  {
    // h2spec opens one stream more than this.
    limits: { streamsMax: 100 },
  },
);
const listener = await listen(server, {
  host: '127.0.0.1',
  onHttpRequest: (request, response) => {
    request.onData(() => {});
    request.onEnd(() => response.send(200, [['content-type', 'text/plain']], Uint8Array.from(body)));
  },
});
const suites = rest.length > 0 ? rest : ['generic', 'http2', 'hpack'];
const child = spawn(binary, ['-h', '127.0.0.1', '-p', String(listener.port), '-o', '2', ...suites], {
  stdio: 'inherit',
});
child.on('error', (error) => {
  console.error(`h2spec: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code) => process.exit(code ?? 1));
