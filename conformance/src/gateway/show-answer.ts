import type { HttpAnswer } from './http-client.ts';

/** Differ by right: times, the connection's own, and the length of JSON, which etcd writes with blanks now and then. */
const connectionHeaders = new Set(['date', 'connection', 'keep-alive', 'content-length', 'transfer-encoding']);

/** Fields whose values are a server's own wherever they stand; the storage's version rises some time after the start. */
const ownFields = [
  'cluster_id',
  'member_id',
  'raft_term',
  'leader',
  'raftIndex',
  'raftTerm',
  'raftAppliedIndex',
  'dbSize',
  'dbSizeInUse',
  'storage',
  'storageVersion',
];

export interface ShowOptions {
  /** Further fields whose values differ by right. */
  readonly masked?: readonly string[];
  /** The text of an error is the library's: only its code counts. */
  readonly anyMessage?: boolean;
  /** Turns a body that is not JSON into what must be equal. */
  readonly showBody?: (body: string) => string;
}

/** Checks are answered for in the order they end. */
export function sortedLines(body: string): string {
  return body.split('\n').sort().join('\n');
}

/** An answer as text to compare. */
export function showAnswer(answer: HttpAnswer, options: ShowOptions = {}): string {
  const headers = Object.entries(answer.headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !connectionHeaders.has(name))
    .map(([name, value]) => `${name}: ${value}`)
    .sort();
  return [String(answer.status), ...headers, '', showBody(answer.body, options), ''].join('\n');
}

export function showBody(body: string, options: ShowOptions = {}): string {
  if (options.showBody !== undefined) return options.showBody(body);
  const lines = body.split('\n').map((line) => showLine(line, options));
  return lines.join('\n');
}

function showLine(line: string, options: ShowOptions): string {
  if (!line.startsWith('{')) return line;
  try {
    return JSON.stringify(mask(JSON.parse(line), options), null, 1);
  } catch {
    // Not JSON after all: compared as it is.
    return line;
  }
}

function mask(value: unknown, options: ShowOptions): unknown {
  if (Array.isArray(value)) return value.map((item) => mask(item, options));
  if (typeof value !== 'object' || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    const isOwn = ownFields.includes(name) || options.masked?.includes(name) === true;
    const isAnyText = name === 'message' && options.anyMessage === true;
    out[name] = isOwn || isAnyText ? `<${typeof item}>` : mask(item, options);
  }
  return out;
}
