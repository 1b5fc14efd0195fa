import type { Logger, Metrics } from '@quorate/base';
import {
  answerFrom,
  errorText,
  type HttpAnswer,
  type HttpRequest,
  refuseMethod,
  sendError,
  splitTarget,
} from './http-types.ts';

/** What health is made of. */
export interface HealthSource {
  /** Active alarms by name. */
  alarms(): readonly string[];
  hasLeader(): boolean;
  isLearner(): boolean;
  /** A read of one key; fails with the text of the error. */
  checkRead(serializable: boolean): Promise<void>;
}

export interface HealthDeps {
  readonly source: HealthSource;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

type Check = readonly [name: string, run: (source: HealthSource) => Promise<void>];

const dataCorruption: Check = [
  'data_corruption',
  async (source) => {
    if (source.alarms().includes('CORRUPT')) throw new Error('alarm activated: CORRUPT');
  },
];
const serializableRead: Check = ['serializable_read', (source) => source.checkRead(true)];
const linearizableRead: Check = ['linearizable_read', (source) => source.checkRead(false)];
const nonLearner: Check = [
  'non_learner',
  async (source) => {
    if (source.isLearner()) throw new Error('not supported for learner');
  },
];

const probes: Readonly<Record<'livez' | 'readyz', readonly Check[]>> = {
  livez: [serializableRead],
  readyz: [dataCorruption, serializableRead, linearizableRead, nonLearner],
};

type Probe = keyof typeof probes;

/** `/health`, `/livez` and `/readyz`. */
export class Health {
  private readonly deps: HealthDeps;
  private readonly successes;
  private readonly failures;

  constructor(deps: HealthDeps) {
    this.deps = deps;
    this.successes = deps.metrics.counter('etcd_server_health_success', 'The total number of successful health checks');
    this.failures = deps.metrics.counter('etcd_server_health_failures', 'The total number of failed health checks');
  }

  /** @returns false for a path that is none of these. */
  serve(request: HttpRequest, answer: HttpAnswer): boolean {
    const { path, query } = splitTarget(request.target);
    if (path === '/health') {
      if (!refuseMethod(request, answer)) answerFrom(this.answerHealth(new URLSearchParams(query), answer), answer);
      return true;
    }
    const [, probe, name] = /^\/(livez|readyz)(?:\/(\w+))?$/.exec(path) ?? [];
    if (probe === undefined) return false;
    const all = probes[probe as Probe];
    const checks = name === undefined ? all : all.filter(([checkName]) => checkName === name);
    if (checks.length === 0) return false;
    if (!refuseMethod(request, answer)) {
      const params = new URLSearchParams(query);
      const excluded = name === undefined ? params.getAll('exclude') : [];
      const wanted = checks.filter(([checkName]) => !excluded.includes(checkName));
      answerFrom(this.answerProbe(probe as Probe, wanted, params.has('verbose'), answer), answer);
    }
    return true;
  }

  private async answerHealth(params: URLSearchParams, answer: HttpAnswer): Promise<void> {
    const reason = await this.whyUnhealthy(params.getAll('exclude'), params.get('serializable') === 'true');
    if (reason === '') {
      this.successes.add(1);
      answer.send(200, [['Content-Type', 'text/plain; charset=utf-8']], '{"health":"true","reason":""}');
      return;
    }
    this.failures.add(1);
    this.deps.logger.warn('serving /health false', { reason });
    sendError(answer, 503, JSON.stringify({ health: 'false', reason }));
  }

  private async whyUnhealthy(excluded: readonly string[], serializable: boolean): Promise<string> {
    const { source } = this.deps;
    const alarm = source.alarms().find((name) => !excluded.includes(name));
    if (alarm !== undefined) return `ALARM ${alarm}`;
    if (!serializable && !source.hasLeader()) return 'RAFT NO LEADER';
    try {
      await source.checkRead(serializable);
      return '';
    } catch (error) {
      return `RANGE ERROR:${errorText(error)}`;
    }
  }

  private async answerProbe(
    probe: Probe,
    checks: readonly Check[],
    isVerbose: boolean,
    answer: HttpAnswer,
  ): Promise<void> {
    const outcomes = await Promise.all(checks.map(([name, run]) => this.run(probe, name, run)));
    const lines = outcomes.map(({ line }) => `${line}\n`).join('');
    if (outcomes.some(({ failed }) => failed)) {
      this.deps.logger.warn('health check failed', { probe, checks: lines });
      sendError(answer, 503, lines);
    } else {
      sendError(answer, 200, `${isVerbose ? lines : ''}ok`);
    }
  }

  private async run(probe: Probe, name: string, run: Check[1]): Promise<{ line: string; failed: boolean }> {
    try {
      await run(this.deps.source);
      this.count(probe, name, true);
      return { line: `[+]${name} ok`, failed: false };
    } catch (error) {
      this.count(probe, name, false);
      return { line: `[-]${name} failed: ${errorText(error)}`, failed: true };
    }
  }

  private count(type: Probe, name: string, isOk: boolean): void {
    const { metrics } = this.deps;
    metrics
      .gauge('etcd_server_healthcheck', 'The result of each kind of healthcheck.', { type, name })
      .set(Number(isOk));
    metrics
      .counter('etcd_server_healthchecks_total', 'The total number of each kind of healthcheck.', {
        ...{ type, name },
        status: isOk ? 'success' : 'error',
      })
      .add(1);
  }
}
