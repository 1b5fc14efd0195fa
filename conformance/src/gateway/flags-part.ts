import { runPart, type SideName } from '../grpc/pair.ts';
import type { Options } from '../options.ts';
import { freePorts } from '../support/ports.ts';
import type { Report } from '../support/report.ts';
import { ask } from './http-client.ts';
import { HttpPair } from './http-pair.ts';

/** The text of a refused host is each server's own: that it names what it should counts. */
const refusedHost = (body: string): string =>
  [/evil\.example|Host header/.test(body), /--host-whitelist/.test(body), /CVE-2018-5702/.test(body)].join();

/** Origins and hosts that are listed, and others. */
export async function runAccess(http: HttpPair): Promise<void> {
  for (const origin of ['http://a:1', 'https://b:2', 'http://a:2', '*', '']) {
    const headers: Record<string, string> = origin === '' ? {} : { Origin: origin };
    for (const method of ['GET', 'OPTIONS']) {
      await http.compare(`${method} from ${origin}`, { method, path: '/health', headers }, { status: 200 });
    }
  }
  for (const [host, status] of [
    ['example.com', 200],
    ['example.com:99', 200],
    ['127.0.0.1:1', 200],
    ['evil.example', 421],
    ['evil.example:2379', 421],
    ['[::1]:2379', 421],
  ] as const) {
    const options = { status, ...(status === 421 ? { showBody: refusedHost } : {}) };
    await http.compare(`host ${host}`, { method: 'GET', path: '/health', headers: { Host: host } }, options);
    await http.compare(`OPTIONS, host ${host}`, { method: 'OPTIONS', path: '/x', headers: { Host: host } }, options);
  }
}

export async function runWithoutGateway(http: HttpPair): Promise<void> {
  await http.compare('no route', { path: '/v3/kv/range', body: '{"key":"Zm9v"}' }, { status: 404 });
  await http.compare('no folder', { method: 'GET', path: '/v3' }, { status: 404 });
  await http.compare('version', { method: 'GET', path: '/version' }, { status: 200 });
}

/** Addresses for HTTP alone and for metrics. */
export async function runListeners(options: Options, report: Report, directory: string): Promise<void> {
  const [metricsPort = 0, otherMetricsPort = 0] = await freePorts(2);
  const ports: Record<SideName, number> = { reference: metricsPort, underTest: otherMetricsPort };
  const part = 'gateway: addresses for metrics';
  // The ports differ, so each side gets flags of its own.
  const argsOf = (side: SideName) => [`--listen-metrics-urls=http://127.0.0.1:${ports[side]}`];
  await runPart(part, options, report, directory, argsOf, async (pair) => {
    const http = new HttpPair(pair);
    const endpointOf = (side: SideName) => `127.0.0.1:${ports[side]}`;
    for (const [path, status] of [
      ['/health', 200],
      ['/livez', 200],
      ['/readyz/non_learner', 200],
      ['/version', 404],
      ['/v3/kv/range', 404],
      ['/debug/vars', 404],
    ] as const) {
      await http.compare(path, { method: 'GET', path, headers: { Host: 'any.example' } }, { status, endpointOf });
    }
    await http.compare('health on the clients', { method: 'GET', path: '/health' }, { status: 200 });
    const metrics = await pair.both((_, side) => ask(endpointOf(side), { method: 'GET', path: '/metrics' }));
    pair.check('/metrics', String(metrics.reference.status), String(metrics.underTest.status));
  });
}
