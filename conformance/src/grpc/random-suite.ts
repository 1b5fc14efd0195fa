import { SeededRandom } from '@quorate/base';
import type { Options } from '../options.ts';
import type { Report } from '../support/report.ts';
import type { Answer } from './connection.ts';
import { type GeneratedCall, Generator, type StoreView } from './generator.ts';
import { runPart, type ServerPair } from './pair.ts';
import type { Message } from './services.ts';

/** Reads sent at once between two writes. */
const READS_BETWEEN_WRITES = 3;
const RESTARTS = 2;
const ALL_KEYS = { key: Buffer.from([0]), range_end: Buffer.from([0]) };

/** Follows the store's revision and compaction by the reference's answers. */
function observe(view: StoreView, call: GeneratedCall, answer: Answer): void {
  if (!answer.ok) return;
  const header = answer.message.header as Message | null;
  if (header !== null && header !== undefined) view.revision = Math.max(view.revision, Number(header.revision));
  if (call.method === 'KV.Compact') view.compactRevision = Number(call.request.revision);
}

/** The keys come in no set order, so their order is masked by sorting. */
function isTimeToLive(call: GeneratedCall): boolean {
  return call.method === 'Lease.LeaseTimeToLive';
}

function sortedKeys(answer: Answer): Answer {
  if (!answer.ok) return answer;
  const keys = answer.message.keys as Buffer[];
  return { ok: true, message: { ...answer.message, keys: [...keys].sort(Buffer.compare) } };
}

async function compareCall(pair: ServerPair, name: string, call: GeneratedCall): Promise<Answer> {
  if (!isTimeToLive(call)) {
    return pair.unary(name, call.method, call.request, call.masked === undefined ? {} : { masked: call.masked });
  }
  const answers = await pair.both(async (connection) => sortedKeys(await connection.unary(call.method, call.request)));
  pair.checkAnswers(name, call.method, call.request, answers, call.masked ?? []);
  return answers.reference;
}

/** The whole state: all keys now and at old revisions, leases, hashes. */
async function compareState(pair: ServerPair, name: string, view: StoreView): Promise<void> {
  const revisions = [0, view.compactRevision, Math.floor((view.compactRevision + view.revision) / 2), view.revision];
  for (const revision of new Set(revisions)) {
    await pair.unary(`${name}: all keys at ${revision}`, 'KV.Range', { ...ALL_KEYS, revision });
    if (revision !== view.compactRevision || revision === 0) {
      await pair.unary(`${name}: hash at ${revision}`, 'Maintenance.HashKV', { revision });
    }
  }
  await pair.unary(`${name}: leases`, 'Lease.LeaseLeases', {});
}

async function randomOperations(pair: ServerPair, options: Options): Promise<void> {
  const view: StoreView = { revision: 1, compactRevision: 0 };
  const generator = new Generator(new SeededRandom(options.seed), view);
  const restartEvery = Math.ceil(options.operations / (RESTARTS + 1));
  let operation = 0;
  let nextRestart = restartEvery;
  while (operation < options.operations) {
    const write = generator.write();
    const written = await compareCall(pair, `seed ${options.seed} operation ${operation++}`, write);
    observe(view, write, written);
    const reads = Array.from({ length: READS_BETWEEN_WRITES }, () => generator.read());
    await Promise.all(
      reads.map(async (read) => {
        const answer = await compareCall(pair, `seed ${options.seed} operation ${operation++}`, read);
        observe(view, read, answer);
      }),
    );
    if (operation >= nextRestart && operation < options.operations) {
      nextRestart += restartEvery;
      const how = generator.chance(50) ? 'stop' : 'kill';
      await compareState(pair, `before ${how} at operation ${operation}`, view);
      await pair.restart(how);
      await compareState(pair, `after ${how} at operation ${operation}`, view);
    }
  }
  await compareState(pair, 'at the end', view);
  await pair.unary('defragment', 'Maintenance.Defragment', {});
  await compareState(pair, 'after defragment', view);
}

/** Seeded random unary requests against both servers, compared one by one. */
export async function runRandomPart(options: Options, report: Report, directory: string): Promise<void> {
  await runPart('grpc random', options, report, directory, [], (pair) => randomOperations(pair, options));
}
