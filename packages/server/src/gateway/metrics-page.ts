import { utf8ToBytes } from '@quorate/base';
import type { HttpAnswer, HttpRequest } from './http-types.ts';

export interface MetricsPageDeps {
  /** The exposition in Prometheus' text format. */
  expose(): string;
  gzip(bytes: Uint8Array): Promise<Uint8Array>;
}

const contentType = ['Content-Type', 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores'] as const;

/** `/metrics`, whatever the method. */
export async function serveMetrics(deps: MetricsPageDeps, request: HttpRequest, answer: HttpAnswer): Promise<void> {
  const text = deps.expose();
  if (!takesGzip(request.headers.get('accept-encoding') ?? '')) {
    answer.send(200, [contentType], text);
    return;
  }
  const zipped = await deps.gzip(utf8ToBytes(text));
  answer.send(200, [contentType, ['Content-Encoding', 'gzip'], ['Vary', 'Accept-Encoding']], zipped);
}

function takesGzip(acceptEncoding: string): boolean {
  return acceptEncoding.split(',').some((part) => /^\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/.test(part));
}
