import { canonicalMessage } from './canonical.ts';
import type { Answer } from './connection.ts';
import type { Message } from './services.ts';

// The real etcd sorts with an algorithm that is not stable: keys that are equal in what is sorted by come in any order
// once there are more than a dozen. Before answers are compared such ties are put into key order; where a limit cut
// through them, only what was sorted by can be compared.

const SORT_FIELDS = ['', 'version', 'create_revision', 'mod_revision', 'value'] as const;

function sortValue(kv: Message, field: string): string {
  const value = kv[field];
  return Buffer.isBuffer(value) ? value.toString('latin1') : String(value);
}

function byKey(left: Message, right: Message): number {
  return Buffer.compare(left.key as Buffer, right.key as Buffer);
}

function normalizeRange(request: Message, response: Message): Message {
  const field = SORT_FIELDS[Number(request.sort_target ?? 0)] ?? '';
  const kvs = response.kvs as Message[];
  if (field === '' || kvs.length === 0) return response;
  const keysOnlyByValue = field === 'value' && request.keys_only === true;
  if (response.more === true || keysOnlyByValue) {
    // Equal values cannot be told apart once the values are left out.
    const shown = keysOnlyByValue ? kvs.length : kvs.map((kv) => sortValue(kv, field));
    return { ...response, kvs: [], sorted_by: [field, shown] };
  }
  const runs: Message[][] = [];
  for (const kv of kvs) {
    const run = runs.at(-1);
    if (run?.[0] !== undefined && sortValue(run[0], field) === sortValue(kv, field)) run.push(kv);
    else runs.push([kv]);
  }
  return { ...response, kvs: runs.flatMap((run) => run.sort(byKey)) };
}

function normalizeTxn(request: Message, response: Message): Message {
  const branch = (response.succeeded === true ? request.success : request.failure) as Message[] | undefined;
  const responses = (response.responses as Message[]).map((answer, index) => {
    const operation = branch?.[index] ?? {};
    if (operation.request_range !== undefined && answer.response_range !== undefined) {
      const range = normalizeRange(operation.request_range as Message, answer.response_range as Message);
      return { ...answer, response_range: range };
    }
    if (operation.request_txn !== undefined && answer.response_txn !== undefined) {
      return {
        ...answer,
        response_txn: normalizeTxn(operation.request_txn as Message, answer.response_txn as Message),
      };
    }
    return answer;
  });
  return { ...response, responses };
}

/** The real etcd lists what is raised in the order of a Go map, which is none. */
function normalizeAlarms(response: Message): Message {
  const alarms = (response.alarms as Message[]).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return { ...response, alarms };
}

/** The answer with what may come in any order put in order. */
export function normalizeTies(method: string, request: Message, answer: Answer): Answer {
  if (!answer.ok) return answer;
  if (method === 'KV.Range') return { ok: true, message: normalizeRange(request, answer.message) };
  if (method === 'Maintenance.Alarm') return { ok: true, message: normalizeAlarms(answer.message) };
  if (method === 'KV.Txn') return { ok: true, message: normalizeTxn(request, answer.message) };
  return answer;
}

/** Joins the chunks of a RangeStream as a client must, with what is wrong about them. */
export function joinChunks(messages: readonly Message[]): { readonly text: string; readonly problems: string[] } {
  const responses = messages.map((message) => message.range_response as Message);
  const problems: string[] = [];
  responses.forEach((response, index) => {
    const isLast = index === responses.length - 1;
    if (isLast !== (response.header !== null)) problems.push(`message ${index} of ${responses.length}: header`);
    if (!isLast && (response.count !== '0' || response.more === true)) problems.push(`message ${index}: count or more`);
  });
  const last = responses.at(-1) ?? {};
  const kvs = responses.flatMap((response) => response.kvs as Message[]);
  return { text: canonicalMessage({ ...last, kvs }), problems };
}
