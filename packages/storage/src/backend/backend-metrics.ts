import type { Gauge, Histogram, Metrics } from '@quorate/base';

/** etcd's metrics of the backend. */
export class BackendMetrics {
  readonly commitSeconds: Histogram;
  readonly snapshotSeconds: Histogram;
  readonly defragmentSeconds: Histogram;
  readonly hashSeconds: Histogram;
  readonly defragmentInflight: Gauge;

  constructor(metrics: Metrics) {
    this.commitSeconds = metrics.histogram(
      'etcd_disk_backend_commit_duration_seconds',
      'The latency distributions of commit called by backend.',
      doubling(0.001, 14),
    );
    this.snapshotSeconds = metrics.histogram(
      'etcd_disk_backend_snapshot_duration_seconds',
      'The latency distribution of backend snapshots.',
      doubling(0.01, 17),
    );
    this.hashSeconds = metrics.histogram(
      'etcd_mvcc_hash_duration_seconds',
      'The latency distribution of storage hash operation.',
      doubling(0.01, 15),
    );
    this.defragmentSeconds = metrics.histogram(
      'etcd_disk_backend_defrag_duration_seconds',
      'The latency distribution of backend defragmentation.',
      doubling(0.1, 13),
    );
    this.defragmentInflight = metrics.gauge(
      'etcd_disk_defrag_inflight',
      'Whether or not defrag is active on the member. 1 means active, 0 means not.',
    );
  }
}

function doubling(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first * 2 ** i);
}
