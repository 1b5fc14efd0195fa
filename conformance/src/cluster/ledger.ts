import type { Answer, Connection } from '../grpc/connection.ts';
import type { Message } from '../grpc/services.ts';
import type { Change, Write } from './history.ts';

type Failure = Answer & { ok: false };

const CALL_TIMEOUT_MS = 3000;

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
export function failureText(answer: Failure): string {
  const details = answer.details.replace(/127\.0\.0\.1:\d+/g, 'ADDRESS').replace(/(exceeded) after .*/, '$1');
  return `${answer.code} ${details}`;
}

/** The writes of all clients of a run, and what became of them. */
export class Ledger {
  readonly writes: Write[] = [];
  acknowledged = 0;
  /** Failures nothing explains: no leader change, no lost connection. */
  readonly unexplained: string[] = [];
  /** The longest time any writer went without an acknowledgement. */
  longestGapMs = 0;
  /** The greatest revision anybody had an answer with. */
  latestRevision = 0;
  private readonly failures = new Map<string, number>();

  /** Makes changes through a member, all in one; no two writes may put the same value to a key. */
  async send(connection: Connection, client: string, changes: readonly Change[]): Promise<Answer> {
    const write: Write = { client, changes, above: this.latestRevision, revision: undefined };
    this.writes.push(write);
    const { method, request } = toRequest(changes);
    const answer = await connection.unary(method, request, { timeoutMs: CALL_TIMEOUT_MS });
    if (answer.ok) this.acknowledge(write, answer.message);
    else this.fail(answer);
    return answer;
  }

  /** Writes that may be done or not, made elsewhere. */
  allow(client: string, changes: readonly Change[]): void {
    this.writes.push({ client, changes, above: 0, revision: undefined });
  }

  private acknowledge(write: Write, message: Message): void {
    const revision = Number((message.header as Message).revision);
    this.acknowledged++;
    this.latestRevision = Math.max(this.latestRevision, revision);
    // A delete nobody had an answer to may have taken the key before; this one then did nothing.
    if (message.deleted !== '0') write.revision = revision;
  }

  private fail(answer: Failure): void {
    const text = failureText(answer);
    this.failures.set(text, (this.failures.get(text) ?? 0) + 1);
    if (!EXPLAINED.some((pattern) => pattern.test(text))) this.unexplained.push(text);
  }

  showFailures(): string {
    const byCount = [...this.failures].sort(([, left], [, right]) => right - left);
    return byCount.length === 0
      ? 'no write failed'
      : `failed: ${byCount.map(([text, n]) => `${n} ${text}`).join('; ')}`;
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
