import type { Counter, Gauge, Histogram, Metrics } from '@quorate/base';
import type { ReplicaMetrics } from '../replica/replica-metrics.ts';
import { RequestField } from '../rpc/proposals.ts';
import { exponentialBounds } from './registry.ts';
import { requestFieldOf } from './request-field.ts';

/** Bounds of etcd's histograms. */
export const requestBounds = exponentialBounds(0.001, 2, 14);
export const executionBounds = exponentialBounds(0.0001, 2, 20);

/** Kinds of requests as the labels have them: `leaseGrant` is `LeaseGrant`. */
const kinds = new Map<number, string>(
  Object.entries(RequestField).map(([name, field]) => [field, `${name.charAt(0).toUpperCase()}${name.slice(1)}`]),
);

function keyOf(field: number, isSuccess: boolean): number {
  return field * 2 + Number(isSuccess);
}

/** How long requests take, from their proposal and while they are applied, and what becomes of proposals and read indexes. */
export class RequestMetrics implements ReplicaMetrics {
  private readonly metrics: Metrics;
  /** By {@link keyOf}; each is made when it is needed, as in etcd. */
  private readonly requests = new Map<number, Histogram>();
  private readonly applies = new Map<number, Histogram>();
  private readonly failedProposals: Counter;
  private readonly leaderChanges: Counter;
  private readonly slowReads: Counter;
  private readonly failedReads: Counter;
  private readonly lateHeartbeats: Counter;
  private readonly installing: Gauge;

  constructor(metrics: Metrics) {
    this.metrics = metrics;
    const counter = (name: string, help: string) => metrics.counter(`etcd_server_${name}`, help);
    this.failedProposals = counter('proposals_failed_total', 'The total number of failed proposals seen.');
    this.leaderChanges = counter('leader_changes_seen_total', 'The number of leader changes seen.');
    this.slowReads = counter('slow_read_indexes_total', 'The total number of pending read indexes that timed out.');
    this.failedReads = counter('read_indexes_failed_total', 'The total number of failed read indexes seen.');
    this.lateHeartbeats = counter(
      'heartbeat_send_failures_total',
      'The total number of leader heartbeats that went out late (a busy loop or a slow disk).',
    );
    this.installing = metrics.gauge(
      'etcd_server_snapshot_apply_in_progress_total',
      '1 if the server is applying the incoming snapshot. 0 if none.',
    );
  }

  /** A result is one, also when it says that the request was refused. */
  requestEnded(field: number, tookMs: number, isDone: boolean): void {
    if (!isDone) this.failedProposals.add(1);
    this.observe(this.requests, 'request', field, tookMs, isDone);
  }

  /** An entry was applied. */
  applied(data: Uint8Array, tookMs: number, isSuccess: boolean): void {
    if (data.length > 0) this.observe(this.applies, 'apply', requestFieldOf(data), tookMs, isSuccess);
  }

  private observe(
    histograms: Map<number, Histogram>,
    what: 'request' | 'apply',
    field: number,
    tookMs: number,
    isSuccess: boolean,
  ): void {
    const key = keyOf(field, isSuccess);
    let histogram = histograms.get(key);
    if (histogram === undefined) {
      const kind = kinds.get(field);
      if (kind === undefined) return;
      histogram = this.histogram(what, kind, isSuccess);
      histograms.set(key, histogram);
    }
    histogram.observe(tookMs / 1000);
  }

  private histogram(what: 'request' | 'apply', kind: string, isSuccess: boolean): Histogram {
    const success = String(isSuccess);
    if (what === 'request') return requestHistogram(this.metrics, kind, success);
    return this.metrics.histogram(
      'etcd_server_apply_duration_seconds',
      'The latency distributions of v2 apply called by backend.',
      executionBounds,
      { version: 'v3', op: kind, success },
    );
  }

  leaderChanged(): void {
    this.leaderChanges.add(1);
  }

  readIndexesSlow(count: number): void {
    this.slowReads.add(count);
  }

  readIndexesFailed(count: number): void {
    this.failedReads.add(count);
  }

  heartbeatsLate(): void {
    this.lateHeartbeats.add(1);
  }

  installingSnapshot(isInstalling: boolean): void {
    this.installing.set(Number(isInstalling));
  }
}

export function requestHistogram(metrics: Metrics, type: string, success: string): Histogram {
  return metrics.histogram(
    'etcd_server_request_duration_seconds',
    'Response latency distribution in seconds for each type.',
    requestBounds,
    { type, success },
  );
}
