import type { Connection } from '../grpc/connection.ts';
import type { Message } from '../grpc/services.ts';

export interface Change {
  readonly key: string;
  /** undefined: deleted. */
  readonly value: string | undefined;
}

/** One key as one revision left it. */
export interface KeyEvent extends Change {
  readonly revision: number;
}

/** A write as its client knows it. */
export interface Write {
  readonly client: string;
  readonly changes: readonly Change[];
  /** The greatest revision anybody had an answer with when it was sent: an acknowledged one must come out above. */
  readonly above: number;
  /** The revision of its acknowledgement; undefined while nobody knows whether it was done. */
  revision: number | undefined;
}

const READ_TIMEOUT_MS = 60_000;
const PROBLEMS_MAX = 12;

export function toKeyEvent(event: Message): KeyEvent {
  const kv = event.kv as Message;
  return {
    revision: Number(kv.mod_revision),
    key: (kv.key as Buffer).toString(),
    value: Number(event.type) === 1 ? undefined : (kv.value as Buffer).toString(),
  };
}

export function showEvent(event: KeyEvent): string {
  return `${event.revision} ${showChange(event)}`;
}

/** All that ever happened, as a watch from the first revision tells it. The store must not have been compacted. */
export async function readHistory(connection: Connection): Promise<KeyEvent[]> {
  const now = await connection.unary('KV.Range', { key: Buffer.from('any') });
  if (!now.ok) throw new Error(`range: ${now.code} ${now.details}`);
  const target = Number((now.message.header as Message).revision);
  const events: KeyEvent[] = [];
  if (target === 1) return events;
  const call = connection.duplex('Watch.Watch');
  const open = Buffer.from([0]);
  call.send({ create_request: { key: open, range_end: open, start_revision: 1 } });
  let read = 0;
  const complete = await call.until(() => {
    for (; read < call.received.length; read++) {
      const message = call.received[read] as Message;
      for (const event of message.events as Message[]) events.push(toKeyEvent(event));
    }
    return (events.at(-1)?.revision ?? 0) >= target;
  }, READ_TIMEOUT_MS);
  call.cancel();
  if (!complete) {
    throw new Error(
      `the history ends at revision ${events.at(-1)?.revision}, not ${target}: ${call.end?.details ?? ''}`,
    );
  }
  return events;
}

/** Which promises a history breaks towards those who wrote it. All values must differ. */
export function checkHistory(history: readonly KeyEvent[], writes: readonly Write[]): string[] {
  const problems: string[] = [];
  const complain = (text: string): void => {
    if (problems.length < PROBLEMS_MAX) problems.push(text);
    else if (problems.length === PROBLEMS_MAX) problems.push('and more');
  };
  const byRevision = new Map<number, KeyEvent[]>();
  for (const event of history) {
    const together = byRevision.get(event.revision);
    if (together === undefined) byRevision.set(event.revision, [event]);
    else together.push(event);
  }
  const owners = new Map<number, Write>();
  for (const write of writes) {
    if (write.revision === undefined) continue;
    const other = owners.get(write.revision);
    if (other !== undefined) complain(`revision ${write.revision} was given to ${other.client} and to ${write.client}`);
    owners.set(write.revision, write);
    if (write.revision <= write.above) {
      complain(`${write.client} was acknowledged at ${write.revision}, sent after an answer at ${write.above}`);
    }
    const found = show(byRevision.get(write.revision) ?? []);
    const expected = show(write.changes);
    if (found !== expected) complain(`acknowledged at ${write.revision}: ${expected}; the history has: ${found}`);
  }
  checkOrigins(history, writes, complain);
  return problems;
}

/** Whatever is there was asked for by somebody, and happened once and whole. */
function checkOrigins(history: readonly KeyEvent[], writes: readonly Write[], complain: (text: string) => void): void {
  const asked = new Set<string>();
  for (const write of writes) {
    for (const change of write.changes) asked.add(showChange(change));
  }
  const happened = new Map<string, number>();
  for (const event of history) {
    const text = showChange(event);
    if (!asked.has(text)) complain(`${text} at ${event.revision} was asked for by nobody`);
    // Deletes of one key cannot be told apart.
    if (event.value === undefined) continue;
    const before = happened.get(text);
    if (before !== undefined) complain(`${text} happened at ${before} and again at ${event.revision}`);
    happened.set(text, event.revision);
  }
  for (const write of writes) {
    const puts = write.changes.filter(({ value }) => value !== undefined);
    const revisions = new Set(puts.map((change) => happened.get(showChange(change))));
    if (revisions.size > 1) complain(`half done: ${show(write.changes)}`);
  }
}

function showChange({ key, value }: Change): string {
  return value === undefined ? `${key} deleted` : `${key}=${value}`;
}

function show(changes: readonly Change[]): string {
  return changes.length === 0 ? 'nothing' : changes.map(showChange).sort().join(', ');
}

/** Where two histories part; empty when they are the same. */
export function compareHistories(expected: readonly KeyEvent[], found: readonly KeyEvent[]): string[] {
  const length = Math.max(expected.length, found.length);
  for (let at = 0; at < length; at++) {
    const [left, right] = [expected[at], found[at]];
    const texts = [left, right].map((event) => (event === undefined ? 'nothing' : showEvent(event)));
    if (texts[0] !== texts[1]) return [`event ${at}: ${texts[1]}, not ${texts[0]}`];
  }
  return [];
}
