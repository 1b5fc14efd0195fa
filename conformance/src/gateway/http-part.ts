import type { Ask } from './http-client.ts';
import type { HttpPair } from './http-pair.ts';
import { sortedLines } from './show-answer.ts';

const get = (path: string, headers: Record<string, string> = {}): Ask => ({ method: 'GET', path, headers });
const range = (body: string): Ask => ({ path: '/v3/kv/range', body });

/** Forms of JSON that are read, and what is refused; the text of a refusal is a library's. */
export async function runJsonForms(http: HttpPair): Promise<void> {
  for (const body of [
    '{"key":"Zm9v"}',
    '{"key":"Zm9v"} and what follows',
    '{"key":"Zm9vYg","range_end":"_-A="}',
    '{"key":"Zm9v","range_end":"AA","rangeStart":1}',
    '{"key":"Zm9v","limit":null,"sort_target":"NONSENSE"}',
    '{"key":"Zm9v","limit":1e2,"revision":"0"}',
    '{"key":"Zm9v","limit":2.0,"sort_order":2}',
    ' \n {"key":"Zm9v"}',
  ]) {
    await http.compare(`read: ${body}`, range(body), { status: 200 });
  }
  for (const body of [
    'x',
    'null',
    '[]',
    '3',
    '"a"',
    '{',
    '{"key":5}',
    '{"key":"*"}',
    '{"key":"Zm9v","key":"Zm9v"}',
    '{"range_end":"AA==","rangeEnd":"AA=="}',
    '{"limit":1.5}',
    '{"limit":" 1"}',
    '{"limit":true}',
    '{"keys_only":"true"}',
    '{"sort_order":1.5}',
    '{"key":"\\ud800"}',
  ]) {
    await http.compare(`refused: ${body}`, range(body), { status: 400, anyMessage: true });
  }
  for (const body of ['', '{}', 'null\n']) {
    await http.compare(`no key: ${JSON.stringify(body)}`, range(body), { status: 400, anyMessage: body === 'null\n' });
  }
  const two = '{"compare":[{"key":"AA==","version":"1","value":"AA=="}]}';
  await http.compare('two of a oneof', { path: '/v3/kv/txn', body: two }, { status: 400, anyMessage: true });
  const large = (bytes: number): Ask => ({
    path: '/v3/kv/put',
    body: JSON.stringify({ key: 'YQ==', value: Buffer.alloc(bytes).toString('base64') }),
  });
  await http.compare('larger than the proposal limit', large(1_600_000), { status: 400 });
  await http.compare('larger than the message limit', large(2_200_000), { status: 429 });
}

const methodPaths = ['/health', '/livez', '/readyz', '/readyz/non_learner', '/version', '/v3/kv/range', '/nothing'];

/** Paths, methods, redirects and headers. */
export async function runPaths(http: HttpPair): Promise<void> {
  for (const path of methodPaths) {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'POST']) {
      if (method === 'POST' && path.startsWith('/v3/')) continue;
      await http.compare(`${method} ${path}`, { method, path }, { status: statusOf(method, path) });
    }
  }
  for (const [path, status] of [
    ['/v3/kv/range/', 404],
    ['/v3/nothing', 404],
    ['/v3/', 404],
    ['/health/', 404],
    ['/livez/', 404],
    ['/livez/non_learner', 404],
    ['/readyz/nonsense', 404],
    ['/metrics/', 404],
    ['/', 404],
    ['/debug/pprof/', 404],
    ['/debug/requests', 404],
    ['/debug/events', 404],
    ['/v2/keys/a', 404],
    ['/v3', 307],
    ['//health', 307],
    ['/v3/../health?a=1&b=<', 307],
    ['/./version', 307],
  ] as const) {
    await http.compare(`GET ${path}`, get(path), { status });
  }
  await http.compare('POST //v3/kv/range', { path: '//v3/kv/range', body: '{}' }, { status: 307 });
  await http.compare('the old prefix', { path: '/v3beta/kv/range', body: '{"key":"Zm9v"}' }, { status: 200 });
  await http.compare(
    'any query and type',
    { path: '/v3/kv/range?a=b', body: '{"key":"Zm9v"}', headers: { 'Content-Type': 'x/y' } },
    { status: 200 },
  );
  for (const [timeout, status] of [
    ['1x', 400],
    ['1', 400],
    ['5S', 200],
    ['0n', 200],
    ['1n', 504],
  ] as const) {
    const headers = { 'Grpc-Timeout': timeout };
    await http.compare(`Grpc-Timeout ${timeout}`, { ...range('{"key":"Zm9v"}'), headers }, { status });
  }
  const origin = { Origin: 'http://somewhere:1' };
  await http.compare('an origin', get('/health', origin), { status: 200 });
}

function statusOf(method: string, path: string): number {
  if (method === 'OPTIONS') return 200;
  if (path === '/nothing') return 404;
  if (path.startsWith('/v3/')) return 501;
  return method === 'GET' ? 200 : 405;
}

/** What health says in each state that a lone member can be brought into. */
export async function runHealth(http: HttpPair): Promise<void> {
  const paths = [
    '/health',
    '/health?serializable=true',
    '/health?serializable=1',
    '/health?exclude=NOSPACE',
    '/health?exclude=CORRUPT',
    '/livez',
    '/livez?verbose',
    '/readyz',
    '/readyz?verbose=false',
    '/readyz?exclude=data_corruption&exclude=nonsense&verbose',
    '/readyz/data_corruption?verbose',
    '/readyz/linearizable_read',
  ];
  const compareAll = async (state: string, failing: readonly string[]): Promise<void> => {
    for (const path of paths) {
      const status = failing.includes(path) ? 503 : 200;
      await http.compare(`${state}: ${path}`, get(path), { status, showBody: sortedLines });
    }
  };
  await compareAll('well', []);
  const healths = paths.filter((path) => path.startsWith('/health'));
  const alarm = (action: string, name: string): Ask => ({
    path: '/v3/maintenance/alarm',
    body: `{"action":"${action}","memberID":"0","alarm":"${name}"}`,
  });
  await http.compare('no space', alarm('ACTIVATE', 'NOSPACE'), { status: 200 });
  await compareAll(
    'no space',
    healths.filter((path) => path !== '/health?exclude=NOSPACE'),
  );
  await http.compare('space again', alarm('DEACTIVATE', 'NOSPACE'), { status: 200 });
  await http.compare('corrupt', alarm('ACTIVATE', 'CORRUPT'), { status: 200 });
  await compareAll('corrupt', [
    ...healths.filter((path) => path !== '/health?exclude=CORRUPT'),
    '/readyz',
    '/readyz?verbose=false',
    '/readyz/data_corruption?verbose',
  ]);
}

const protobuf = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily';
/** Protobuf as text, for human eyes, is what we have not. */
const acceptHeaders = [
  '*/*',
  'garbage;;;',
  'application/openmetrics-text;version=1.0.0',
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8,text/plain;version=0.0.4;q=0.5',
  'text/plain;version=1.0.0;escaping=allow-utf-8',
  'text/plain;escaping=dots',
  'text/plain;escaping=nonsense',
  'text/plain;q=0',
  'application/vnd.google.protobuf',
  `${protobuf};encoding=delimited`,
  `${protobuf};encoding=delimited;escaping=values`,
  `text/plain, ${protobuf};encoding=delimited`,
  `text/plain;q=0.5, ${protobuf};encoding=delimited`,
  // What Prometheus 3 sends.
  `${protobuf};encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1`,
];

/** Pages whose values are a server's own: their names and types count. */
export async function runPages(http: HttpPair): Promise<void> {
  const showBody = (body: string): string => {
    const page = JSON.parse(body) as Record<string, unknown>;
    const status = page['raft.status'] as Record<string, unknown>;
    const shown = Object.entries(status).map(([name, value]) => `${name}: ${typeof value}`);
    const progress = Object.values(status.progress as object).map((one) => Object.keys(one as object).join());
    return [...Object.keys(page), ...shown, ...progress, String(status.raftState)].join('\n');
  };
  await http.compare('/debug/vars', get('/debug/vars'), { status: 200, showBody });
  const types = (body: string): string => String(body.includes('# TYPE etcd_server_has_leader gauge'));
  await http.compare('/metrics', get('/metrics'), { status: 200, showBody: types });
  for (const accept of acceptHeaders) {
    const request = get('/metrics', { Accept: accept });
    await http.compare(`/metrics as ${accept}`, request, { status: 200, showBody: () => '' });
  }
  await http.compare('/metrics by POST', { path: '/metrics', body: '' }, { status: 200, showBody: types });
}

/** What those who debug see of calls: the services, and one call. The rest of the page is each server's own. */
export async function runRequestsPage(http: HttpPair): Promise<void> {
  const services = (body: string): string => {
    const names = body.match(/grpc\.Recv\.\w+\.\w+/g) ?? [];
    return [...new Set(names)].sort().join('\n');
  };
  const put = { path: '/v3/kv/put', body: '{"key":"Zm9v"}' };
  await http.compare('a put', put, { status: 200 });
  await http.compare('/debug/requests', get('/debug/requests'), { status: 200, showBody: services });
  const list = get('/debug/requests?fam=grpc.Recv.etcdserverpb.KV&b=0');
  const calls = (body: string): string => String(body.includes('/etcdserverpb.KV/Put'));
  await http.compare('its calls', list, { status: 200, showBody: calls });
}
