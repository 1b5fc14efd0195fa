import { errors } from '@quorate/api';
import type { History, Operation, Violation } from '../history/history.ts';
import { Floor, type Known, knownRevisions, revisionOf } from './known.ts';
import { contentOf, hasChanged, inOrderOfInvocation, isRead, isSerializable, nameOf } from './operations.ts';
import type { Replay } from './replay.ts';

const checker = 'real-time';

/**
 * What is known at one time holds for all that begins later: a change gets a larger revision than any that somebody has seen, a
 * linearizable read shows at least that one, and nothing below a compaction is readable. Also, the revisions that one client hears from one member
 * never fall.
 */
export function checkRealTime(history: History, replay: Replay): Violation[] {
  const revisions = new Floor(knownRevisions(history));
  const compactions = new Floor(knownCompactions(history.operations));
  const contents = new Contents(history.operations, replay);
  const ofClients = new Map<number, Known>();
  const ofMembers = new Map<string, Known>();
  const violations: Violation[] = [];
  const add = (operation: Operation, problem: string | undefined) => {
    if (problem !== undefined) violations.push({ checker, text: `${nameOf(operation)} ${problem}` });
  };
  for (const operation of inOrderOfInvocation(history.operations)) {
    const { client, member, invokedMs, returnedMs } = operation;
    revisions.advance(invokedMs);
    compactions.advance(invokedMs);
    // A client makes its calls one after the other, also those within one millisecond; administrators do several things at a time.
    const isBefore = ({ atMs }: Known) => atMs <= invokedMs;
    const own = ofClients.get(client);
    const largest = own !== undefined && isBefore(own) && own.value > revisions.largest.value ? own : revisions.largest;
    const problem = checkRevision(operation, largest, contents);
    add(operation, problem ?? checkCompaction(operation, compactions.largest, replay));
    const revision = revisionOf(operation);
    if (revision === undefined) continue;
    const known: Known = { atMs: returnedMs, value: revision, from: nameOf(operation) };
    if (own === undefined || own.value < revision) ofClients.set(client, known);
    const place = `${client} ${member}`;
    const before = ofMembers.get(place);
    if (problem === undefined && before !== undefined && isBefore(before) && before.value > revision) {
      add(operation, `tells revision ${revision}, but ${member} had told this client ${before.value} (${before.from})`);
    }
    if (before === undefined || before.value < revision) ofMembers.set(place, known);
  }
  return violations;
}

function knownCompactions(operations: readonly Operation[]): Known[] {
  const known: Known[] = [];
  for (const operation of operations) {
    const { request, outcome, returnedMs } = operation;
    if (request.method !== 'compact' || outcome.kind !== 'ok') continue;
    known.push({ atMs: returnedMs, value: request.message.revision, from: nameOf(operation) });
  }
  return known;
}

function checkRevision(operation: Operation, largest: Known, contents: Contents): string | undefined {
  const { request, outcome } = operation;
  if (outcome.kind === 'refused') {
    const wanted = request.method === 'range' || request.method === 'compact' ? request.message.revision : 0;
    const isWrong = outcome.text === errors.ErrGRPCFutureRev.message && !isSerializable(request) && wanted > 0;
    if (!isWrong || wanted > largest.value) return undefined;
    return `was refused as of the future, but ${largest.value} was known before it began (${largest.from})`;
  }
  const change = changeOf(operation, contents);
  if (change !== undefined) {
    if (change > largest.value) return undefined;
    return `was done at revision ${change}, but ${largest.value} was known before it began (${largest.from})`;
  }
  const revision = revisionOf(operation);
  if (revision === undefined || isSerializable(request) || revision >= largest.value) return undefined;
  return `is stale: it tells revision ${revision}, but ${largest.value} was known before it began (${largest.from})`;
}

/** The revision that an operation made; also of one with unknown outcome when there is no doubt which entry is its. */
function changeOf(operation: Operation, contents: Contents): number | undefined {
  const { request, outcome } = operation;
  if (isRead(request)) return undefined;
  if (outcome.kind === 'unknown') return contents.onlyRevisionOf(operation);
  if (outcome.kind === 'refused') return undefined;
  return hasChanged(outcome.response) ? outcome.response.message.header?.revision : undefined;
}

/** Tells which requests were made once and are in the log once. */
class Contents {
  private readonly replay: Replay;
  private readonly ofLost = new Map<Operation, string>();
  private readonly counts = new Map<string, number>();

  constructor(operations: readonly Operation[], replay: Replay) {
    this.replay = replay;
    for (const operation of operations) {
      const { request, outcome } = operation;
      if (isRead(request)) continue;
      const content = contentOf(request);
      this.counts.set(content, (this.counts.get(content) ?? 0) + 1);
      if (outcome.kind === 'unknown') this.ofLost.set(operation, content);
    }
  }

  onlyRevisionOf(operation: Operation): number | undefined {
    const content = this.ofLost.get(operation);
    if (content === undefined || this.counts.get(content) !== 1) return undefined;
    const [entry, ...others] = this.replay.withContent(content);
    return others.length === 0 && entry?.isChange ? entry.applied.state.revision : undefined;
  }
}

function checkCompaction({ request, outcome }: Operation, largest: Known, replay: Replay): string | undefined {
  if (request.method !== 'range' && request.method !== 'compact') return undefined;
  const { revision } = request.message;
  if (outcome.kind === 'refused' && outcome.text === errors.ErrGRPCCompacted.message) {
    const isRight =
      request.method === 'compact' ? revision <= replay.compactRevision : revision < replay.compactRevision;
    return isRight ? undefined : `was refused as compacted, but only ${replay.compactRevision} ever was`;
  }
  if (outcome.kind !== 'ok' || isSerializable(request)) return undefined;
  const isDone = request.method === 'compact' ? revision <= largest.value : revision > 0 && revision < largest.value;
  if (!isDone || largest.value === 0) return undefined;
  return `was answered at ${revision}, but that was compacted before it began (${largest.from})`;
}
