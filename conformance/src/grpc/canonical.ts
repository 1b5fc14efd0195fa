import type { Answer } from './connection.ts';
import type { Message } from './services.ts';

/** Long byte strings are shortened to their ends, length and a checksum, so that a diff stays readable. */
const BYTES_SHOWN_MAX = 120;

function checksum(bytes: Uint8Array): string {
  let hash = 0x811c_9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193) >>> 0;
  return hash.toString(16).padStart(8, '0');
}

export function showBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes.length > BYTES_SHOWN_MAX ? bytes.subarray(0, 40) : bytes) {
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return bytes.length > BYTES_SHOWN_MAX ? `${text}… (${bytes.length} bytes, fnv ${checksum(bytes)})` : text;
}

/** A header keeps its revision; of the ids and the term only whether they are set. */
function maskHeader(header: Message): Message {
  const isSet = (field: string): string => (header[field] === '0' ? 'unset' : 'set');
  return {
    cluster_id: isSet('cluster_id'),
    member_id: isSet('member_id'),
    revision: header.revision,
    raft_term: isSet('raft_term'),
  };
}

function simplify(name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return showBytes(value);
  if (Array.isArray(value)) return value.map((item) => simplify('', item));
  if (typeof value !== 'object' || value === null) return value;
  const message = value as Message;
  if (name === 'header') return maskHeader(message);
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(message).sort()) {
    const field = simplify(key, message[key]);
    // Fields left at their default say nothing; dropping them keeps requests and diffs short.
    if (field === '' || field === '0' || field === 0 || field === false || field === null) continue;
    if (Array.isArray(field) && field.length === 0) continue;
    out[key] = field;
  }
  return out;
}

/** One text for equal messages. `masked` fields, at any depth, are replaced by `<masked>`. */
export function canonicalMessage(message: unknown, masked: readonly string[] = []): string {
  return JSON.stringify(simplify('', message), (key, value: unknown) => (masked.includes(key) ? '<masked>' : value), 1);
}

export function canonicalAnswer(answer: Answer, masked: readonly string[] = []): string {
  if (answer.ok) return canonicalMessage(answer.message, masked);
  return `error ${answer.code}: ${answer.details}`;
}
