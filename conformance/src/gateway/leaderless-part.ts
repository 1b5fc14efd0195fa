import type { Options } from '../options.ts';
import { Cluster } from '../support/cluster.ts';
import { unifiedDiff } from '../support/diff.ts';
import type { ServerKind } from '../support/programs.ts';
import { serverProgram } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { errorText, waitUntil } from '../support/text.ts';
import { ask } from './http-client.ts';
import { showAnswer } from './show-answer.ts';

const WAIT_MS = 30_000;
const sorted = (body: string): string => body.split('\n').sort().join('\n');

/** What a member says of its health when the two others are gone. */
async function whatIsSaid(kind: ServerKind, directory: string): Promise<ReadonlyMap<string, string>> {
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
      said.set(path, showAnswer(answer, { showBody: sorted }));
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

export async function runLeaderless(options: Options, report: Report, directory: string): Promise<void> {
  const part = 'gateway: no leader';
  if (!part.includes(options.filter)) return;
  const program = serverProgram(options.reference);
  if (!program.found) {
    report.skip(part, program.reason);
    return;
  }
  try {
    const reference = await whatIsSaid(options.reference, `${directory}/leaderless-reference`);
    const underTest = await whatIsSaid(options.serverUnderTest, `${directory}/leaderless`);
    for (const [name, said] of reference) {
      const diff = unifiedDiff(said, underTest.get(name) ?? '');
      if (diff === '') report.pass(`${part}: ${name}`);
      else report.fail(`${part}: ${name}`, diff);
    }
  } catch (error) {
    report.fail(part, errorText(error));
  }
}
