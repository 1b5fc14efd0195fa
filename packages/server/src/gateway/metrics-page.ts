import { type Counter, type Metrics, utf8ToBytes } from '@quorate/base';
import { answerFrom, type HttpAnswer, type HttpRequest } from './http-types.ts';
import { negotiateMetrics } from './metrics-format.ts';

export interface MetricsPageDeps {
  readonly metrics: Metrics;
  /** The exposition in Prometheus' text format, or as protobuf messages. */
  expose(): string;
  exposeProtobuf(): Uint8Array;
  gzip(bytes: Uint8Array): Promise<Uint8Array>;
}

/** `/metrics`, whatever the method. */
export class MetricsPage {
  private readonly deps: MetricsPageDeps;
  private readonly served: Counter;
  private readonly failed: Counter;

  constructor(deps: MetricsPageDeps) {
    this.deps = deps;
    const { metrics } = deps;
    const scrapes = (code: string) =>
      metrics.counter('promhttp_metric_handler_requests_total', 'Total number of scrapes by HTTP status code.', {
        code,
      });
    this.served = scrapes('200');
    this.failed = scrapes('500');
    scrapes('503');
    // Who reads it is a scrape, and they come one after the other.
    metrics.gauge('promhttp_metric_handler_requests_in_flight', 'Current number of scrapes being served.').set(1);
  }

  serve(request: HttpRequest, answer: HttpAnswer): void {
    answerFrom(this.answer(request, answer), answer);
  }

  private async answer(request: HttpRequest, answer: HttpAnswer): Promise<void> {
    const { isProtobuf, contentType: value } = negotiateMetrics(request.headers.get('accept') ?? '');
    const contentType = ['Content-Type', value] as const;
    const body = this.expose(isProtobuf);
    this.served.add(1);
    if (!takesGzip(request.headers.get('accept-encoding') ?? '')) {
      answer.send(200, [contentType], body);
      return;
    }
    const zipped = await this.deps.gzip(typeof body === 'string' ? utf8ToBytes(body) : body);
    answer.send(200, [contentType, ['Content-Encoding', 'gzip'], ['Vary', 'Accept-Encoding']], zipped);
  }

  private expose(isProtobuf: boolean): string | Uint8Array {
    try {
      return isProtobuf ? this.deps.exposeProtobuf() : this.deps.expose();
    } catch (error) {
      this.failed.add(1);
      throw error;
    }
  }
}

function takesGzip(acceptEncoding: string): boolean {
  return acceptEncoding.split(',').some((part) => /^\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/.test(part));
}
