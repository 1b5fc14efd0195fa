import { nextBelow, type Random } from '@quorate/base';
import type { Answer, Connection } from '../grpc/connection.ts';
import type { Message } from '../grpc/services.ts';
import { sleep } from '../support/text.ts';
import type { Change, Write } from './history.ts';

/** What all writers of a run share: their writes, and the greatest revision any of them had an answer with. */
export class Ledger {
  readonly writes: Write[] = [];
  /** How often each failure came, by its code and text. */
  readonly failures = new Map<string, number>();
  /** Failures nothing explains: no leader change, no lost connection. */
  readonly unexplained: string[] = [];
  acknowledged = 0;
  latestRevision = 0;
  /** The longest time any writer went without an acknowledgement. */
  longestGapMs = 0;

  showFailures(): string {
    const shown = [...this.failures].sort(([, left], [, right]) => right - left).map(([text, count]) => `${count} ${text}`);
    return shown.length === 0 ? 'no write failed' : `failed: ${shown.join('; ')}`;
  }
}

const KEYS = 12;
const GROUP_KEYS = 3;
const CALL_TIMEOUT_MS = 3000;
const PAUSE_AFTER_FAILURE_MS = 100;

/** Texts of failures that go with a member that went, a leader that changed or a quorum that is missing. */
const EXPLAINED = [
  /^UNAVAILABLE /,
  /^CANCELLED /,
  /^DEADLINE_EXCEEDED /,
  // What the client library makes of a connection that broke in the middle of a call.
  /^INTERNAL .*(RST_STREAM|goaway|GOAWAY)/,
  /^UNKNOWN raft proposal dropped$/,
  /^UNKNOWN (etcdserver: request timed out|etcdserver: server stopped|context deadline exceeded|context canceled)/,
  /^RESOURCE_EXHAUSTED etcdserver: too many requests$/,
  // A member that was taken out of the cluster or is not a voter yet.
  /^FAILED_PRECONDITION etcdserver: (rpc not supported for learner|not capable)$/,
];

/** A failure as one line, without what differs each time. */
export function failureText(answer: Answer & { ok: false }): string {
  const details = answer.details.replace(/127\.0\.0\.1:\d+/g, 'ADDRESS').replace(/(exceeded) after .*/, '$1');
  return `${answer.code} ${details}`;
}

export function recordFailure(ledger: Ledger, answer: Answer & { ok: false }): void {
  const text = failureText(answer);
  ledger.failures.set(text, (ledger.failures.get(text) ?? 0) + 1);
  if (!EXPLAINED.some((pattern) => pattern.test(text))) ledger.unexplained.push(text);
}

/** A client with its own keys that goes from member to member when one fails, and never repeats a write. */
export class Writer {
  private readonly name: string;
  private readonly random: Random;
  private readonly ledger: Ledger;
  private sequence = 0;
  private readonly present = new Set<string>();

  constructor(name: string, random: Random, ledger: Ledger) {
    this.name = name;
    this.random = random;
    this.ledger = ledger;
  }

  private key(): string {
    return `${this.name}/k${nextBelow(this.random, KEYS)}`;
  }

  private next(): readonly Change[] {
    const value = `${this.name}:${++this.sequence}`;
    const form = nextBelow(this.random, 100);
    if (form < 75) return [{ key: this.key(), value }];
    if (form < 85) {
      // Only of a key that is surely there; whether one was deleted says the answer.
      const [key] = this.present;
      if (key !== undefined) return [{ key, value: undefined }];
    }
    return Array.from({ length: GROUP_KEYS }, (_, index) => ({ key: `${this.name}/g${index}`, value }));
  }

  /** Writes until told to stop; `connections` are those of the members it may ask, asked anew after every failure. */
  async run(connections: () => readonly Connection[], stop: () => boolean): Promise<void> {
    let connection: Connection | undefined;
    let lastSuccessMs = Date.now();
    while (!stop()) {
      const open = connections();
      if (connection === undefined || !open.includes(connection)) connection = open[nextBelow(this.random, open.length)];
      if (connection === undefined || !(await this.write(connection))) {
        connection = undefined;
        await sleep(nextBelow(this.random, PAUSE_AFTER_FAILURE_MS));
        continue;
      }
      this.ledger.longestGapMs = Math.max(this.ledger.longestGapMs, Date.now() - lastSuccessMs);
      lastSuccessMs = Date.now();
    }
  }

  private async write(connection: Connection): Promise<boolean> {
    const changes = this.next();
    const write: Write = { client: this.name, changes, above: this.ledger.latestRevision, revision: undefined };
    this.ledger.writes.push(write);
    const { method, request } = toRequest(changes);
    const answer = await connection.unary(method, request, { timeoutMs: CALL_TIMEOUT_MS });
    if (!answer.ok) {
      recordFailure(this.ledger, answer);
      for (const { key } of changes) this.present.delete(key);
      return false;
    }
    this.acknowledge(write, answer.message);
    return true;
  }

  private acknowledge(write: Write, message: Message): void {
    const revision = Number((message.header as Message).revision);
    // A delete nobody had an answer to may have taken the key before; this one then did nothing.
    if (message.deleted !== '0') write.revision = revision;
    this.ledger.acknowledged++;
    this.ledger.latestRevision = Math.max(this.ledger.latestRevision, revision);
    for (const { key, value } of write.changes) {
      if (value === undefined) this.present.delete(key);
      else if (write.changes.length === 1) this.present.add(key);
    }
  }
}

function toRequest(changes: readonly Change[]): { method: string; request: Message } {
  const [first] = changes;
  if (changes.length === 1 && first !== undefined) {
    const key = Buffer.from(first.key);
    if (first.value === undefined) return { method: 'KV.DeleteRange', request: { key } };
    return { method: 'KV.Put', request: { key, value: Buffer.from(first.value) } };
  }
  const success = changes.map(({ key, value }) => ({
    request_put: { key: Buffer.from(key), value: Buffer.from(value ?? '') },
  }));
  return { method: 'KV.Txn', request: { success } };
}
