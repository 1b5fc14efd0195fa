import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noMetrics, silentLogger } from '@quorate/base';
import { cleanPath } from './clean-path.ts';
import { DebugPages } from './debug-pages.ts';
import { FrontDoor, type FrontDoorDeps, type FrontDoorOptions, metricsDoor } from './front-door.ts';
import { Health, type HealthSource } from './health.ts';
import type { HttpRequest } from './http-types.ts';
import type { JsonGateway } from './json/json-gateway.ts';
import { MetricsPage } from './metrics-page.ts';
import { FakeExchange } from './testing/fake-exchange.ts';

const healthy: HealthSource = {
  alarms: () => [],
  hasLeader: () => true,
  isLearner: () => false,
  checkRead: async () => {},
};

const profiles = { heap: 0, cpu: 0 };
const debugSource = {
  variables: () => ({ b: '[1]', a: '{}' }),
  commandLine: () => ['quorate', '--name', 'x'],
  profileCpu: async () => `{"cpu":${++profiles.cpu}}`,
  profileHeap: async () => `{"heap":${++profiles.heap}}`,
};

const gateway = {
  serve: (request: HttpRequest, answer: FakeExchange) => answer.send(200, [], `gateway ${request.target}`),
} as unknown as JsonGateway;

const metricsPageOf = (expose: () => string) =>
  new MetricsPage({
    metrics: noMetrics,
    expose,
    exposeProtobuf: () => new Uint8Array(0),
    gzip: async (bytes) => Uint8Array.of(bytes.length),
  });

interface Setup extends Partial<FrontDoorOptions> {
  readonly source?: HealthSource;
  readonly deps?: Partial<FrontDoorDeps>;
  readonly profiles?: boolean;
}

function depsOf({ source = healthy, deps = {}, profiles: hasProfiles = false }: Setup): FrontDoorDeps {
  return {
    health: new Health({ source, metrics: noMetrics, logger: silentLogger }),
    metricsPage: metricsPageOf(() => 'x 1\n'),
    versions: { clusterVersion: () => '3.7.0', storageVersion: () => undefined },
    debug: new DebugPages(debugSource, { profiles: hasProfiles }),
    gateway,
    namesByCertificate: () => false,
    logger: silentLogger,
    ...deps,
  };
}

async function ask(exchange: FakeExchange, setup: Setup = {}): Promise<FakeExchange> {
  const { corsOrigins = ['*'], hosts = ['*'] } = setup;
  new FrontDoor(depsOf(setup), { corsOrigins, hosts }).serve(exchange.request, exchange);
  await exchange.answered;
  return exchange;
}

const get = (target: string, setup: Setup = {}) => ask(new FakeExchange('GET', target), setup);

test('health says true, or why not', async () => {
  const well = await get('/health');
  assert.deepEqual([well.status, well.body], [200, '{"health":"true","reason":""}']);
  const alarmed: Setup = { source: { ...healthy, alarms: () => ['NOSPACE', 'CORRUPT'] } };
  const ill = await get('/health', alarmed);
  assert.deepEqual([ill.status, ill.body], [503, '{"health":"false","reason":"ALARM NOSPACE"}\n']);
  assert.match((await get('/health?exclude=NOSPACE', alarmed)).body, /ALARM CORRUPT/);
  assert.equal((await get('/health?exclude=NOSPACE&exclude=CORRUPT', alarmed)).status, 200);
  const orphan: Setup = { source: { ...healthy, hasLeader: () => false } };
  assert.match((await get('/health', orphan)).body, /RAFT NO LEADER/);
  assert.equal((await get('/health?serializable=true', orphan)).status, 200);
  assert.equal((await get('/health?serializable=1', orphan)).status, 503);
  const failing: Setup = { source: { ...healthy, checkRead: () => Promise.reject(new Error('timed out')) } };
  assert.match((await get('/health', failing)).body, /"RANGE ERROR:timed out"/);
});

test('readyz and livez run their checks', async () => {
  assert.equal((await get('/livez')).body, 'ok\n');
  const all = '[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n';
  assert.equal((await get('/readyz?verbose=false')).body, all);
  const learner: Setup = { source: { ...healthy, isLearner: () => true } };
  const refused = await get('/readyz', learner);
  assert.equal(refused.status, 503);
  assert.match(refused.body, /^\[\+\]data_corruption ok\n.*\[-\]non_learner failed: not supported for learner\n\n$/s);
  assert.equal((await get('/readyz?exclude=non_learner&exclude=nonsense', learner)).status, 200);
  assert.equal((await get('/readyz/non_learner?exclude=non_learner', learner)).status, 503);
  assert.equal((await get('/readyz/serializable_read?verbose', learner)).body, '[+]serializable_read ok\nok\n');
  for (const path of ['/readyz/nonsense', '/readyz/', '/livez/non_learner', '/health/']) {
    assert.equal((await get(path)).status, 404, path);
  }
});

test('only GET where the method counts', async () => {
  for (const path of ['/health', '/livez', '/readyz/non_learner', '/version', '/debug/vars']) {
    for (const method of ['HEAD', 'POST']) {
      const { status, body, headers } = await ask(new FakeExchange(method, path));
      assert.deepEqual([status, body, headers.Allow], [405, 'Method Not Allowed\n', 'GET'], `${method} ${path}`);
    }
  }
  assert.equal((await ask(new FakeExchange('POST', '/metrics'))).body, 'x 1\n');
});

test('version, metrics, debug/vars, unknown paths', async () => {
  assert.equal((await get('/version')).body, '{"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"unknown"}');
  assert.equal((await get('/debug/vars')).body, '{\n"a": {},\n"b": [1]\n}\n');
  assert.deepEqual([(await get('/nothing')).status, (await get('/nothing')).body], [404, '404 page not found\n']);
  for (const [accept, zipped] of [
    ['gzip', true],
    ['deflate, gzip;q=0.5', true],
    ['gzip;q=0', false],
    ['br', false],
  ] as const) {
    const { headers } = await ask(new FakeExchange('GET', '/metrics', { 'accept-encoding': accept }));
    assert.equal(headers['Content-Encoding'] === 'gzip', zipped, accept);
  }
});

test('what fails while the member stops is answered', async () => {
  const broken = () => {
    throw new Error('closed');
  };
  for (const [path, setup] of [
    ['/health', { source: { ...healthy, alarms: broken } }],
    ['/metrics', { deps: { metricsPage: metricsPageOf(broken) } }],
  ] as const) {
    assert.deepEqual([(await get(path, setup)).status, (await get(path, setup)).body], [500, 'closed\n']);
  }
});

test('the gateway, also under its old name; without it there is none', async () => {
  assert.equal((await get('/v3/kv/range')).body, 'gateway /v3/kv/range');
  assert.equal((await get('/v3beta/kv/range')).body, 'gateway /v3/kv/range');
  const without: Setup = { deps: { gateway: undefined } };
  for (const path of ['/v3/kv/range', '/v3']) assert.equal((await get(path, without)).body, '404 page not found\n');
});

test('unclean paths are sent on', async () => {
  for (const [path, clean] of [
    ['/', '/'],
    ['', '/'],
    ['//a', '/a'],
    ['/a//b/', '/a/b/'],
    ['/a/../b/./c', '/b/c'],
    ['/../..', '/'],
  ] as const) {
    assert.equal(cleanPath(path), clean, path);
  }
  const sent = await get('//health?a=1&b=2');
  assert.deepEqual([sent.status, sent.headers.Location], [307, '/health?a=1&b=2']);
  assert.equal(sent.body, '<a href="/health?a=1&amp;b=2">Temporary Redirect</a>.\n\n');
  const posted = await ask(new FakeExchange('POST', '/v3'));
  assert.deepEqual([posted.status, posted.headers.Location, posted.body], [307, '/v3/', '']);
});

test('CORS: any origin, or those listed', async () => {
  const from = (origin: string) => new FakeExchange('OPTIONS', '/anything', { origin });
  const any = await ask(from('http://a:1'));
  assert.deepEqual(
    [any.status, any.body, any.headers],
    [
      200,
      '',
      {
        'Access-Control-Allow-Headers': 'accept, content-type, authorization',
        'Access-Control-Allow-Methods': 'POST, GET, OPTIONS, PUT, DELETE',
        'Access-Control-Allow-Origin': '*',
      },
    ],
  );
  const corsOrigins = ['http://a:1'];
  assert.equal((await ask(from('http://a:1'), { corsOrigins })).headers['Access-Control-Allow-Origin'], 'http://a:1');
  for (const origin of ['http://b:1', '*', '']) {
    const other = await ask(from(origin), { corsOrigins });
    assert.deepEqual([other.status, other.headers], [200, {}], origin);
  }
  assert.equal((await ask(from('x'), { corsOrigins: [] })).headers['Access-Control-Allow-Origin'], '*');
});

test('the host of a plain request', async () => {
  const hosts = ['example.com', '::1'];
  const to = (host: string, more: Partial<HttpRequest> = {}) =>
    ask(new FakeExchange('GET', '/health', { host }, more), { hosts });
  assert.equal((await to('example.com:99')).status, 200);
  assert.equal((await to('[::1]:99')).status, 200);
  const refused = await to('evil.example:99');
  assert.deepEqual([refused.status, refused.headers['Access-Control-Allow-Origin']], [421, undefined]);
  assert.match(refused.body, /"evil\.example".*CVE-2018-5702/s);
  assert.equal((await to('evil.example', { secure: true })).status, 200);
});

test('a name from a certificate does not go through the gateway', async () => {
  const named = { secure: true, commonName: 'root' };
  const deps = { namesByCertificate: () => true };
  const refused = await ask(new FakeExchange('POST', '/v3/kv/range', {}, named), { deps });
  assert.deepEqual([refused.status, /CommonName/.test(refused.body)], [400, true]);
  assert.equal((await ask(new FakeExchange('GET', '/health', {}, named), { deps })).status, 200);
  assert.equal((await ask(new FakeExchange('POST', '/v3/kv/range', {}, named))).status, 200);
});

test('profiles, where they are switched on', async () => {
  assert.equal((await get('/debug/pprof/')).status, 404);
  const setup = { profiles: true };
  assert.equal((await get('/debug/pprof', setup)).headers.Location, '/debug/pprof/');
  assert.equal((await get('/debug/pprof/cmdline', setup)).body, 'quorate\0--name\0x');
  assert.match((await get('/debug/pprof/profile?seconds=1', setup)).body, /^\{"cpu":1\}$/);
  assert.match((await get('/debug/pprof/heap', setup)).body, /^\{"heap":1\}$/);
  assert.equal((await get('/debug/pprof/profile?seconds=1000', setup)).status, 400);
  assert.equal((await get('/debug/pprof/nothing', setup)).status, 404);
});

test('one profile at a time', async () => {
  let release: (text: string) => void = () => {};
  const slow = new Promise<string>((resolve) => {
    release = resolve;
  });
  const debug = new DebugPages({ ...debugSource, profileCpu: () => slow }, { profiles: true });
  const first = get('/debug/pprof/profile', { deps: { debug } });
  assert.equal((await get('/debug/pprof/heap', { deps: { debug } })).status, 500);
  release('{}');
  assert.equal((await first).status, 200);
  assert.equal((await get('/debug/pprof/heap', { deps: { debug } })).status, 200);
});

test('the addresses for metrics serve those and health, to anybody', async () => {
  const door = metricsDoor(depsOf({}));
  for (const [path, status] of [
    ['/metrics', 200],
    ['/health', 200],
    ['/livez', 200],
    ['/readyz/non_learner', 200],
    ['/version', 404],
    ['/v3/kv/range', 404],
  ] as const) {
    const exchange = new FakeExchange('GET', path, { host: 'any' });
    door(exchange.request, exchange);
    await exchange.answered;
    assert.deepEqual([exchange.status, exchange.headers['Access-Control-Allow-Origin']], [status, undefined], path);
  }
});
