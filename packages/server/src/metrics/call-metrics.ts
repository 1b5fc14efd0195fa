import { services } from '@quorate/api';
import type { Counter, Metrics } from '@quorate/base';
import type { CallObserver, GrpcType, Metadata } from '@quorate/transport';
import { executionBounds, requestHistogram } from './request-metrics.ts';

const rangePath = services.KV.methods.Range.path;
const handlingBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Versions of clients that are told apart; who says something else counts with those that say nothing. */
const versionsMax = 64;

/** How long calls take: of every method where `isExtensive`, else of ranges alone, which are never proposed. */
export function callObserver(
  metrics: Metrics,
  isExtensive: boolean,
): (path: string, type: GrpcType) => CallObserver | null {
  return (path, type) => {
    const observers: CallObserver[] = [];
    if (isExtensive) observers.push(handlingObserver(metrics, path, type));
    if (path === rangePath) observers.push(rangeObserver(metrics));
    const [first, ...others] = observers;
    if (first === undefined || others.length === 0) return first ?? null;
    return (tookMs, code) => {
      for (const observe of observers) observe(tookMs, code);
    };
  };
}

function handlingObserver(metrics: Metrics, path: string, type: GrpcType): CallObserver {
  const slash = path.lastIndexOf('/');
  const handling = metrics.histogram(
    'grpc_server_handling_seconds',
    'Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.',
    handlingBounds,
    { grpc_type: type, grpc_service: path.slice(1, slash), grpc_method: path.slice(slash + 1) },
  );
  return (tookMs) => handling.observe(tookMs / 1000);
}

/** The whole call stands for the range: what is beside it is a small part. */
function rangeObserver(metrics: Metrics): CallObserver {
  const make = (success: string) => [
    requestHistogram(metrics, 'Range', success),
    metrics.histogram(
      'etcd_server_range_duration_seconds',
      'The latency distributions of range called by the server.',
      executionBounds,
      { success },
    ),
  ];
  let succeeded: ReturnType<typeof make> | undefined;
  let failed: ReturnType<typeof make> | undefined;
  return (tookMs, code) => {
    if (code === 0) succeeded ??= make('true');
    else failed ??= make('false');
    for (const histogram of (code === 0 ? succeeded : failed) ?? []) histogram.observe(tookMs / 1000);
  };
}

/** Counts calls by the version that clients say they are. */
export function clientRequests(metrics: Metrics): (metadata: Metadata, isStream: boolean) => Counter {
  const versions = new Set<string>(['unknown']);
  return (metadata, isStream) => {
    const said = metadata.get('client-api-version') ?? 'unknown';
    if (versions.size < versionsMax) versions.add(said);
    return metrics.counter(
      'etcd_server_client_requests_total',
      'The total number of client requests per client version.',
      {
        type: isStream ? 'stream' : 'unary',
        client_api_version: versions.has(said) ? said : 'unknown',
      },
    );
  };
}
