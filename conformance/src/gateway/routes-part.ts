import type { SideName } from '../grpc/pair.ts';
import { ask, type HttpAnswer } from './http-client.ts';
import type { CompareOptions, HttpPair } from './http-pair.ts';
import { talk } from './web-socket-talk.ts';

/** A request to a route; `body` may need ids that each server gave by itself. */
interface Step {
  readonly path: string;
  readonly body: string | ((ids: Ids) => string);
  readonly status?: number;
  readonly masked?: readonly string[];
  /** Keeps an id out of the answer. */
  readonly keep?: (answer: HttpAnswer, ids: Ids) => void;
}

interface Ids {
  member: string;
  added: string;
}

const key = (text: string): string => Buffer.from(text).toString('base64');

/** The fields of answers that later steps need. */
interface Parsed {
  readonly members: readonly { readonly ID: string }[];
  readonly member: { readonly ID: string };
  readonly token: string;
}

const parsed = (answer: HttpAnswer) => JSON.parse(answer.body) as Parsed;

const keySteps: readonly Step[] = [
  { path: '/v3/kv/put', body: `{"key":"${key('a')}","value":"${key('1')}"}` },
  { path: '/v3/kv/put', body: `{"key":"${key('a')}","value":"${key('<&>')}","prev_kv":true}` },
  { path: '/v3/kv/put', body: `{"key":"${key('b')}"}` },
  { path: '/v3/kv/put', body: '{}', status: 400 },
  { path: '/v3/kv/put', body: `{"key":"${key('b')}","lease":"77"}`, status: 404 },
  { path: '/v3/kv/range', body: `{"key":"${key('a')}","rangeEnd":"${key('z')}","limit":1}` },
  { path: '/v3/kv/range', body: `{"key":"AA==","range_end":"AA==","sort_order":"DESCEND","sort_target":"MOD"}` },
  { path: '/v3/kv/range', body: `{"key":"${key('nothing')}"}` },
  { path: '/v3/kv/range', body: `{"key":"${key('a')}","revision":99}`, status: 400 },
  {
    path: '/v3/kv/txn',
    body: `{"compare":[{"key":"${key('a')}","target":"VERSION","result":"EQUAL","version":"2"}],"success":[{"request_put":{"key":"${key('c')}","value":"eA=="}},{"requestRange":{"key":"${key('c')}"}},{"request_txn":{}}],"failure":[{"request_delete_range":{"key":"AA=="}}]}`,
  },
  {
    path: '/v3/kv/txn',
    body: `{"failure":[{"request_put":{"key":"${key('d')}"}}],"compare":[{"key":"AA==","version":5}]}`,
  },
  { path: '/v3/kv/deleterange', body: `{"key":"${key('c')}","prev_kv":true}` },
  { path: '/v3/kv/deleterange', body: `{"key":"${key('c')}"}` },
  { path: '/v3/kv/compaction', body: '{"revision":"3"}' },
  { path: '/v3/kv/compaction', body: '{"revision":"3","physical":true}', status: 400 },
];

const leaseSteps: readonly Step[] = [
  { path: '/v3/lease/grant', body: '{"TTL":500,"ID":"1234"}' },
  { path: '/v3/lease/grant', body: '{"TTL":"500"}', masked: ['ID'] },
  { path: '/v3/lease/grant', body: '{"TTL":500,"ID":1234}', status: 400 },
  { path: '/v3/kv/put', body: `{"key":"${key('l')}","lease":"1234"}` },
  { path: '/v3/lease/timetolive', body: '{"ID":"1234","keys":true}', masked: ['TTL'] },
  { path: '/v3/kv/lease/timetolive', body: '{"ID":"99"}' },
  { path: '/v3/lease/keepalive', body: '{"ID":"1234"} {"ID":"99"}' },
  { path: '/v3/lease/keepalive', body: '' },
  { path: '/v3/lease/leases', body: '', masked: ['leases'] },
  { path: '/v3/kv/lease/leases', body: '', masked: ['leases'] },
  { path: '/v3/lease/revoke', body: '{"ID":"1234"}' },
  { path: '/v3/kv/lease/revoke', body: '{"ID":"1234"}', status: 404 },
];

const memberFields = ['ID', 'peerURLs', 'clientURLs'];
const clusterSteps: readonly Step[] = [
  {
    path: '/v3/cluster/member/list',
    body: '{"linearizable":true}',
    masked: memberFields,
    keep: (answer, ids) => {
      ids.member = parsed(answer).members[0]?.ID ?? '';
    },
  },
  {
    path: '/v3/cluster/member/add',
    body: '{"peerURLs":["http://127.0.0.1:1"],"isLearner":true}',
    // Members are listed by ids, which are random.
    masked: [...memberFields, 'members'],
    keep: (answer, ids) => {
      ids.added = parsed(answer).member.ID;
    },
  },
  {
    path: '/v3/cluster/member/update',
    body: ({ added }) => `{"ID":"${added}","peerURLs":["http://127.0.0.1:2"]}`,
    masked: [...memberFields, 'members'],
  },
  { path: '/v3/cluster/member/promote', body: ({ added }) => `{"ID":"${added}"}`, status: 400 },
  { path: '/v3/cluster/member/remove', body: ({ added }) => `{"ID":"${added}"}`, masked: memberFields },
  { path: '/v3/cluster/member/remove', body: '{"ID":"5"}', status: 404 },
];

const maintenanceSteps: readonly Step[] = [
  { path: '/v3/maintenance/status', body: '' },
  { path: '/v3/maintenance/alarm', body: '{"action":"GET"}' },
  {
    path: '/v3/maintenance/alarm',
    body: ({ member }) => `{"action":"ACTIVATE","memberID":"${member}","alarm":"NOSPACE"}`,
    masked: ['memberID'],
  },
  { path: '/v3/maintenance/alarm', body: '{"alarm":1}', masked: ['memberID'] },
  { path: '/v3/kv/put', body: `{"key":"${key('full')}"}`, status: 429 },
  {
    path: '/v3/maintenance/alarm',
    body: ({ member }) => `{"action":2,"memberID":"${member}","alarm":1}`,
    masked: ['memberID'],
  },
  { path: '/v3/maintenance/hash', body: '', masked: ['hash'] },
  { path: '/v3/maintenance/hashkv', body: '{"revision":"0"}', masked: ['hash'] },
  { path: '/v3/maintenance/hashkv', body: '{"revision":"1"}', status: 400 },
  { path: '/v3/maintenance/transfer-leadership', body: '{"targetID":"5"}', status: 400 },
  { path: '/v3/maintenance/defragment', body: '' },
];

const downgradeSteps: readonly Step[] = [
  { path: '/v3/maintenance/downgrade', body: '{"action":"VALIDATE","version":"3.6.0"}' },
  { path: '/v3/maintenance/downgrade', body: '{"action":"CANCEL"}' },
];

const authSteps: readonly Step[] = [
  { path: '/v3/auth/status', body: '' },
  { path: '/v3/auth/authenticate', body: '{"name":"root","password":"pw"}', status: 400 },
  { path: '/v3/auth/enable', body: '', status: 400 },
  { path: '/v3/auth/role/add', body: '{"name":"root"}' },
  { path: '/v3/auth/role/add', body: '{"name":"r"}' },
  { path: '/v3/auth/role/grant', body: `{"name":"r","perm":{"permType":"READWRITE","key":"${key('a')}"}}` },
  { path: '/v3/auth/role/get', body: '{"role":"r"}' },
  { path: '/v3/auth/role/list', body: '' },
  { path: '/v3/auth/role/revoke', body: `{"role":"r","key":"${key('a')}"}` },
  { path: '/v3/auth/role/delete', body: '{"role":"r"}' },
  { path: '/v3/auth/user/add', body: '{"name":"root","password":"pw"}' },
  { path: '/v3/auth/user/add', body: '{"name":"u","password":"pw"}' },
  { path: '/v3/auth/user/changepw', body: '{"name":"u","password":"pw2"}' },
  { path: '/v3/auth/user/grant', body: '{"user":"root","role":"root"}' },
  { path: '/v3/auth/user/revoke', body: '{"name":"u","role":"root"}', status: 400 },
  { path: '/v3/auth/user/get', body: '{"name":"root"}' },
  { path: '/v3/auth/user/list', body: '' },
  { path: '/v3/auth/user/delete', body: '{"name":"u"}' },
];

/** What is worked on elsewhere. */
const lockSteps: readonly Step[] = [
  { path: '/v3/lock/lock', body: `{"name":"${key('lock')}"}`, masked: ['key'] },
  { path: '/v3/lock/unlock', body: `{"key":"${key('lock/1')}"}` },
  { path: '/v3/election/leader', body: `{"name":"${key('e')}"}`, status: 500 },
  { path: '/v3/election/campaign', body: `{"name":"${key('e')}","value":"eA==","lease":"5"}`, status: 500 },
  { path: '/v3/election/proclaim', body: '{}', status: 500 },
  { path: '/v3/election/resign', body: '{}', status: 500 },
];

/** Streams that never end by themselves are with the streams. */
const streamPaths = ['/v3/watch', '/v3/maintenance/snapshot', '/v3/election/observe'];

const routeSteps = [...keySteps, ...leaseSteps, ...clusterSteps, ...maintenanceSteps, ...downgradeSteps];

/** Paths that some step asks for, in any part. */
export function coveredPaths(): Set<string> {
  const asked = [...routeSteps, ...authSteps, ...lockSteps].map(({ path }) => path);
  return new Set([...asked, ...streamPaths, '/v3/auth/disable']);
}

async function play(http: HttpPair, steps: readonly Step[]): Promise<void> {
  const ids: Record<SideName, Ids> = {
    reference: { member: '', added: '' },
    underTest: { member: '', added: '' },
  };
  for (const [i, step] of steps.entries()) {
    const { path, body, status = 200, masked = [] } = step;
    const answers = await http.compare(
      `step ${i + 1} ${path}`,
      (side) => ({ path, body: typeof body === 'string' ? body : body(ids[side]) }),
      { status, masked },
    );
    for (const side of ['reference', 'underTest'] as const) {
      if (answers[side].status === 200) step.keep?.(answers[side], ids[side]);
    }
  }
}

/** Every route once at least, and its common errors. */
export function runRoutes(http: HttpPair): Promise<void> {
  return play(http, routeSteps);
}

/** Locks and elections. */
export function runLockRoutes(http: HttpPair): Promise<void> {
  return play(http, lockSteps);
}

/** Users and roles, then what goes with tokens. */
export async function runAuth(http: HttpPair): Promise<void> {
  await play(http, authSteps);
  await runTokens(http);
}

/** Authentication is on for the rest of the servers' lives, but for the last step. */
async function runTokens(http: HttpPair): Promise<void> {
  const { pair } = http;
  await http.compare('auth enable', { path: '/v3/auth/enable', body: '' }, { status: 200 });
  const range = { path: '/v3/kv/range', body: `{"key":"${key('a')}"}` };
  await http.compare('range without a token', range, { status: 400 });
  const credentials = { path: '/v3/auth/authenticate', body: '{"name":"root","password":"pw"}' };
  await http.compare('authenticate', credentials, { status: 200, masked: ['token'] });
  await http.compare('wrong password', { ...credentials, body: '{"name":"root","password":"x"}' }, { status: 400 });
  const tokens = await pair.both(async (_, side) => parsed(await ask(pair.server(side).endpoint, credentials)).token);
  const options: CompareOptions = { status: 200 };
  for (const [name, headers] of [
    ['Authorization', (token: string) => ({ Authorization: token })],
    ['Bearer', (token: string) => ({ Authorization: `Bearer ${token}` })],
    ['metadata', (token: string) => ({ 'Grpc-Metadata-Token': token })],
    ['metadata first', (token: string) => ({ Authorization: 'nonsense', 'Grpc-Metadata-Token': token })],
  ] as const) {
    await http.compare(
      `range with a token: ${name}`,
      (side) => ({ ...range, headers: headers(tokens[side]) }),
      options,
    );
  }
  const watch = [[0, `{"create_request":{"key":"${key('a')}","start_revision":"1"}}`]] as const;
  for (const [name, opening] of [
    ['subprotocol', (token: string) => ({ protocols: ['Bearer', token] })],
    ['cookie', (token: string) => ({ headers: { Cookie: `a=b; token=${token}` } })],
    ['cookie first', (token: string) => ({ protocols: ['Bearer', 'x'], headers: { Cookie: `token=${token}` } })],
    ['header', (token: string) => ({ headers: { Authorization: token } })],
  ] as const) {
    await talk(http, `WebSocket with a token: ${name}`, {
      path: '/v3/watch',
      opening: (side) => opening(tokens[side]),
      send: watch,
      frames: 1,
    });
  }
  await http.compare('range with a bad token', { ...range, headers: { Authorization: 'x.1' } }, { status: 401 });
  await http.compare('health with authentication', { method: 'GET', path: '/health' }, options);
  const disable = { path: '/v3/auth/disable', body: '' };
  await http.compare('auth disable', (side) => ({ ...disable, headers: { Authorization: tokens[side] } }), options);
}
