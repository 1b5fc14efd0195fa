import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '../options.ts';
import { Cluster } from '../support/cluster.ts';
import type { ServerKind } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { waitUntil } from '../support/text.ts';
import { ask } from './http-client.ts';
import { compareSayings, type Sayings } from './sayings.ts';
import { showAnswer, sortedLines } from './show-answer.ts';

const WAIT_MS = 30_000;

/** What a member says of its health when the two others are gone. */
async function whatIsSaid(kind: ServerKind, directory: string): Promise<Sayings> {
  const cluster = await Cluster.start({ kinds: [kind, kind, kind], directory });
  const said = new Map<string, string>();
  try {
    const [left, ...others] = cluster.members;
    if (left === undefined) throw new Error('no member');
    for (const other of others) await other.kill();
    const isLeaderless = async () =>
      (await ask(left.endpoint, { method: 'GET', path: '/health' })).body.includes('RAFT NO LEADER');
    await waitUntil('no leader', WAIT_MS, isLeaderless);
    const paths = [
      '/health',
      '/health?serializable=true',
      '/livez?verbose',
      '/readyz?exclude=linearizable_read',
      '/readyz',
    ];
    for (const path of paths) {
      const answer = await ask(left.endpoint, { method: 'GET', path });
      said.set(path, showAnswer(answer, { showBody: sortedLines }));
    }
    const watch = {
      path: '/v3/watch',
      body: '{"create_request":{"key":"AA=="}}',
      headers: { 'Grpc-Metadata-Hasleader': 'true' },
    };
    said.set('a watch that wants a leader', showAnswer(await ask(left.endpoint, watch)));
    const put = { path: '/v3/kv/put', body: '{"key":"AA=="}', headers: { 'Grpc-Timeout': '500m' } };
    // How the reference words it is a race between its two ends.
    said.set('a put with a deadline', showAnswer(await ask(left.endpoint, put), { anyMessage: true }));
    return said;
  } finally {
    await cluster.close();
  }
}

export function runLeaderless(options: Options, report: Report, directory: string): Promise<void> {
  return compareSayings('gateway: no leader', options, report, (kind) =>
    whatIsSaid(kind, mkdtempSync(join(directory, `leaderless-${kind}-`))),
  );
}
