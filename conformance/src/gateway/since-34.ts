import type { HttpAnswer } from './http-client.ts';

/** Steps whose answers changed after etcd 3.4 in ways that are not form, by name, and why. */
const changed: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/\/(?:livez|readyz)/, 'probes are newer than 3.4'],
  [/hashkv|downgrade|auth\/status/, 'routes that are newer than 3.4'],
  [/keepalive$|^keepalive: no renewal/, 'a stream that ends without an answer had a type'],
  [/^keepalive: nothing sound/, 'what is no JSON ended a stream with 500'],
  [/^HEAD \/v3\//, "the router's own refusal had headers of text, and a HEAD has no body to tell it by"],
  [/^a snapshot/, 'snapshots tell their version since'],
  [/^read: .*(?:"_-A="|"AA",)/, 'only the standard alphabet of base64, padded'],
  [/^read: .*NONSENSE/, 'unknown names of an enum were refused'],
  [/^read: .*(?:1e2|2\.0)/, 'whole numbers only as digits'],
  [/^refused: {"key":"Zm9v","key"|^two of a oneof/, 'a field could be given twice'],
];

/** Why a step is not compared with etcd 3.4. */
export function changedSince34(name: string): string | undefined {
  return changed.find(([pattern]) => pattern.test(name))?.[1];
}

/** Fields that 3.4 does not have, or that tell the version. */
const newerFields: ReadonlySet<string> = new Set([
  ...['reason', 'storage', 'storageVersion', 'dbSizeQuota', 'downgradeInfo'],
  ...['etcdserver', 'etcdcluster', 'version'],
]);

/** Statuses of 3.4, and today's: FailedPrecondition, and redirects. */
const statuses: ReadonlyMap<number, number> = new Map([
  [412, 400],
  [301, 307],
]);

/** An answer of either, without what came after 3.4. */
export function withoutNewer(answer: HttpAnswer, path: string): HttpAnswer {
  const dropped = path.startsWith('/v3/maintenance/alarm') ? new Set([...newerFields, 'header']) : newerFields;
  return { ...answer, body: mapJson(answer.body, (value) => without(value, dropped)) };
}

/** An answer of etcd 3.4 in today's form. */
export function inTodaysForm(answer: HttpAnswer, path: string): HttpAnswer {
  const { Trailer: _, ...headers } = answer.headers;
  const status = statuses.get(answer.status) ?? answer.status;
  if (path.startsWith('/v3/')) {
    if (answer.body === 'Not Found\n') return plainAsJson({ ...answer, headers }, 404, 5);
    if (answer.body === 'Method Not Allowed\n') return plainAsJson({ ...answer, headers }, 501, 12);
  }
  const body = mapJson(answer.body, errorInTodaysForm).replace('Moved Permanently', 'Temporary Redirect');
  return { status, headers, body };
}

/** The router's own errors were text. */
function plainAsJson({ headers, body }: HttpAnswer, status: number, code: number): HttpAnswer {
  const { 'X-Content-Type-Options': _, ...rest } = headers;
  return {
    status,
    headers: { ...rest, 'Content-Type': 'application/json' },
    body: JSON.stringify({ code, message: body.trim() }),
  };
}

/** Errors said their text twice. */
function errorInTodaysForm(value: Record<string, unknown>): Record<string, unknown> {
  if (typeof value.error !== 'string') return value;
  const { error: _, code, message, ...details } = value;
  return { code, message, ...details };
}

function without(value: Record<string, unknown>, dropped: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !dropped.has(name)));
}

/** Each line of a body that is an object of JSON. */
function mapJson(body: string, map: (value: Record<string, unknown>) => Record<string, unknown>): string {
  return body
    .split('\n')
    .map((line) => {
      if (!line.startsWith('{')) return line;
      try {
        return JSON.stringify(map(JSON.parse(line) as Record<string, unknown>));
      } catch {
        // Not JSON after all.
        return line;
      }
    })
    .join('\n');
}
