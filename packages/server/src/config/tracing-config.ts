import type { SettingReader } from './config.ts';

/** How spans are recorded, and where they go. */
export interface TracingConfig {
  /** `host:port` of a collector. */
  readonly address: string;
  readonly serviceName: string;
  /** Left out of what is sent when empty. */
  readonly instanceId: string;
  /** Of the traces that begin here; 0 follows callers alone. */
  readonly samplesPerMillion: number;
}

/** Undefined when tracing is off. */
export function readTracing(read: SettingReader): TracingConfig | undefined {
  if (!read.bool('enable-distributed-tracing')) return undefined;
  return {
    address: read.text('distributed-tracing-address'),
    serviceName: read.text('distributed-tracing-service-name'),
    instanceId: read.text('distributed-tracing-instance-id'),
    samplesPerMillion: read.number('distributed-tracing-sampling-rate'),
  };
}

const samplesMax = 1_000_000;

/** In etcd's words, spelled as there. */
export function problemWithTracing(tracing: TracingConfig | undefined): string | undefined {
  const rate = tracing?.samplesPerMillion ?? 0;
  if (rate >= 0 && rate <= samplesMax) return undefined;
  const problem = rate < 0 ? 'positive' : `less than ${samplesMax}`;
  return `distributed tracing configurition is not valid: (tracing sampling rate must be ${problem})`;
}
