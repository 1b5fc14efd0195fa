import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '../options.ts';
import { freePorts } from '../support/ports.ts';
import type { ServerKind } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { spawnServer } from '../support/server.ts';
import { waitUntil } from '../support/text.ts';
import { ask } from './http-client.ts';
import { compareSayings, type Sayings } from './sayings.ts';
import { showAnswer } from './show-answer.ts';

const START_TIMEOUT_MS = 30_000;

/** What is said on an address for HTTP alone, and over HTTP on the one that is left for gRPC. */
async function whatIsSaid(kind: ServerKind, directory: string): Promise<Sayings> {
  const [clientPort = 0, peerPort = 0, httpPort = 0] = await freePorts(3);
  mkdirSync(directory, { recursive: true });
  const dataDir = mkdtempSync(join(directory, `${kind}-`));
  const http = `127.0.0.1:${httpPort}`;
  const extraArgs = [`--listen-client-http-urls=http://${http}`];
  const server = spawnServer({ kind, dataDir, clientPort, peerPort, extraArgs });
  const said = new Map<string, string>();
  try {
    await waitUntil(`${kind} to serve`, START_TIMEOUT_MS, () =>
      ask(http, { method: 'GET', path: '/health' }).then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    for (const path of ['/health', '/readyz', '/version', '/nothing']) {
      said.set(`GET ${path}`, showAnswer(await ask(http, { method: 'GET', path })));
    }
    const put = { path: '/v3/kv/put', body: '{"key":"YQ=="}' };
    said.set('a put', showAnswer(await ask(http, put)));
    const refused = await ask(server.endpoint, put).then(
      ({ status }) => `answered ${status}`,
      () => 'not answered',
    );
    said.set('a put where gRPC is spoken', refused);
    return said;
  } finally {
    await server.stop();
  }
}

export function runHttpListener(options: Options, report: Report, directory: string): Promise<void> {
  return compareSayings('gateway: addresses for HTTP', options, report, (kind) =>
    whatIsSaid(kind, `${directory}/http-listener`),
  );
}
