import { etcdVersion } from '../version.ts';

/** A request over plain HTTP, version 1 or 2. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the routes show of the member. */
export interface HttpSource {
  /** Active alarms by name. */
  alarms(): readonly string[];
  hasLeader(): boolean;
  isLearner(): boolean;
  /** A read of one key; fails with the text of the error. */
  checkRead(serializable: boolean): Promise<void>;
  /** `3.7.0`, or undefined while no version is agreed on. */
  clusterVersion(): string | undefined;
  storageVersion(): string | undefined;
  exposeMetrics(): string;
}

const json = { 'Content-Type': 'application/json' };
const text = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' };
const metricsType = { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores' };

type Check = readonly [name: string, run: (source: HttpSource) => Promise<void>];

const serializableRead: Check = ['serializable_read', (source) => source.checkRead(true)];
const checksByPath: Readonly<Record<string, readonly Check[]>> = {
  '/livez': [serializableRead],
  '/readyz': [
    [
      'data_corruption',
      async (source) => {
        if (source.alarms().includes('CORRUPT')) throw new Error('alarm activated: CORRUPT');
      },
    ],
    serializableRead,
    ['linearizable_read', (source) => source.checkRead(false)],
    [
      'non_learner',
      async (source) => {
        if (source.isLearner()) throw new Error('learner can not serve traffic');
      },
    ],
  ],
};

const answer = (status: number, headers: Readonly<Record<string, string>>, body: string): HttpResponse => ({
  status,
  headers,
  body,
});

/** Answers what is not gRPC: health, version, metrics. Never rejects: while a member stops, looking at it may fail. */
export async function answerHttp(source: HttpSource, request: HttpRequest): Promise<HttpResponse> {
  try {
    return await route(source, request);
  } catch (error) {
    return answer(500, text, `${error instanceof Error ? error.message : String(error)}\n`);
  }
}

async function route(source: HttpSource, request: HttpRequest): Promise<HttpResponse> {
  const split = request.target.indexOf('?');
  const path = split < 0 ? request.target : request.target.slice(0, split);
  const query = new URLSearchParams(split < 0 ? '' : request.target.slice(split + 1));
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (path === '/metrics') return answer(200, metricsType, source.exposeMetrics());
  if (path === '/version') return isRead ? version(source) : notAllowed();
  if (path === '/health') return isRead ? health(source, query) : notAllowed();
  const probe = /^(\/livez|\/readyz)(?:\/([a-z_]+))?$/.exec(path);
  const checks = probe ? checksByPath[probe[1] as string] : undefined;
  if (probe && checks) {
    const chosen = probe[2] === undefined ? checks : checks.filter(([name]) => name === probe[2]);
    if (chosen.length > 0) return isRead ? runChecks(source, chosen, query) : notAllowed();
  }
  return answer(404, text, '404 page not found\n');
}

const notAllowed = (): HttpResponse => answer(405, { ...text, Allow: 'GET' }, 'Method Not Allowed\n');

function version(source: HttpSource): HttpResponse {
  const body = {
    etcdserver: etcdVersion,
    etcdcluster: source.clusterVersion() ?? 'not_decided',
    storage: source.storageVersion() ?? 'unknown',
  };
  return answer(200, json, JSON.stringify(body));
}

async function health(source: HttpSource, query: URLSearchParams): Promise<HttpResponse> {
  const excluded = query.getAll('exclude');
  const alarm = source.alarms().find((name) => !excluded.includes(name));
  let reason = '';
  if (alarm !== undefined) reason = `ALARM ${alarm}`;
  else {
    const serializable = query.get('serializable') === 'true';
    if (!serializable && !source.hasLeader()) reason = 'RAFT NO LEADER';
    else {
      try {
        await source.checkRead(serializable);
      } catch (error) {
        reason = `RANGE ERROR:${(error as Error).message}`;
      }
    }
  }
  const healthy = reason === '';
  return answer(healthy ? 200 : 503, json, JSON.stringify({ health: String(healthy), reason }));
}

async function runChecks(source: HttpSource, checks: readonly Check[], query: URLSearchParams): Promise<HttpResponse> {
  const excluded = query.getAll('exclude');
  const lines: string[] = [];
  let failed = false;
  for (const [name, run] of checks) {
    if (excluded.includes(name)) {
      lines.push(`[+]${name} excluded: ok`);
      continue;
    }
    try {
      await run(source);
      lines.push(`[+]${name} ok`);
    } catch (error) {
      failed = true;
      lines.push(`[-]${name} failed: ${(error as Error).message}`);
    }
  }
  if (failed) return answer(503, text, `${lines.join('\n')}\n`);
  return answer(200, text, query.has('verbose') ? `${lines.join('\n')}\nok\n` : 'ok\n');
}
