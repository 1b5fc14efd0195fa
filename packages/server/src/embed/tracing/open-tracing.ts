import { getNumberFromEnv, getStringFromEnv, parseKeyPairsIntoRecord } from '@opentelemetry/core';
import { detectResources, envDetector, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Clock, Logger, Random } from '@quorate/base';
import type { RequestMetadata } from '@quorate/transport';
import type { TracingConfig } from '../../config/tracing-config.ts';
import { quorateVersion } from '../../version.ts';
import { CallSpans } from './call-spans.ts';
import { OtlpExporter } from './otlp-exporter.ts';

export interface TracingDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Tracing {
  readonly spans: CallSpans;
  /** Sends what there still is, within a bound. */
  close(): Promise<void>;
}

/** What a member that stops waits for its collector. */
const closeMsMax = 5_000;

/**
 * Sets tracing up as etcd does: by its flags, and by the variables that OpenTelemetry has for batches, headers, time-outs and resources. Only
 * loaded when tracing is on, and with it OpenTelemetry's libraries.
 */
export function openTracing(deps: TracingDeps, config: TracingConfig): Tracing {
  const exporter = new OtlpExporter(deps, {
    address: config.address,
    headers: headersFromEnv(),
    timeoutMs: ofTraces('OTLP_TRACES_TIMEOUT', 'OTLP_TIMEOUT', getNumberFromEnv) ?? 10_000,
  });
  const ratio = config.samplesPerMillion / 1_000_000;
  const provider = new TracerProvider({
    resource: resourceOf(config),
    // What a caller decided for its own trace goes before.
    sampler: new ParentBasedSampler({
      root: ratio === 0 ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio),
    }),
    spanProcessors: [new BatchSpanProcessor({ exporter, ...batchingFromEnv() })],
  });
  const { clock, logger } = deps;
  logger.info('distributed tracing setup enabled');
  return {
    spans: new CallSpans({ tracer: provider.getTracer('quorate', quorateVersion), clock }),
    close: () =>
      new Promise((resolve) => {
        const timer = clock.setTimer(closeMsMax, () => {
          logger.warn('gave up sending the last spans', { after: `${closeMsMax}ms` });
          exporter.shutdown().then(resolve, resolve);
        });
        const finish = () => {
          timer.cancel();
          resolve();
        };
        // What could not be sent is in the log.
        provider.shutdown().then(finish, () => exporter.shutdown().then(finish, finish));
      }),
  };
}

function resourceOf({ serviceName, instanceId }: TracingConfig): Resource {
  const named = resourceFromAttributes({
    'service.name': serviceName,
    ...(instanceId === '' ? {} : { 'service.instance.id': instanceId }),
  });
  return detectResources({ detectors: [envDetector] }).merge(named);
}

function batchingFromEnv() {
  const delayMs = getNumberFromEnv('OTEL_BSP_SCHEDULE_DELAY');
  const timeoutMs = getNumberFromEnv('OTEL_BSP_EXPORT_TIMEOUT');
  const queueMax = getNumberFromEnv('OTEL_BSP_MAX_QUEUE_SIZE');
  const batchMax = getNumberFromEnv('OTEL_BSP_MAX_EXPORT_BATCH_SIZE');
  return {
    ...(delayMs === undefined ? {} : { scheduledDelayMillis: delayMs }),
    ...(timeoutMs === undefined ? {} : { exportTimeoutMillis: timeoutMs }),
    ...(queueMax === undefined ? {} : { maxQueueSize: queueMax }),
    ...(batchMax === undefined ? {} : { maxExportBatchSize: batchMax }),
  };
}

function headersFromEnv(): RequestMetadata {
  const pairs = parseKeyPairsIntoRecord(ofTraces('OTLP_TRACES_HEADERS', 'OTLP_HEADERS', getStringFromEnv));
  return Object.entries(pairs).map(([name, value]) => [name.toLowerCase(), value] as const);
}

/** A variable for traces alone goes before that for everything. */
function ofTraces<T>(own: string, common: string, read: (name: string) => T | undefined): T | undefined {
  return read(`OTEL_EXPORTER_${own}`) ?? read(`OTEL_EXPORTER_${common}`);
}
