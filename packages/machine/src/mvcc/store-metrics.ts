import type { Counter, Gauge, Histogram, Metrics } from '@quorate/base';

const pauseBuckets = Array.from({ length: 13 }, (_, i) => 2 ** i);

/** What the store counts, under etcd's names. Its revisions and number of keys are read from it when metrics are scraped. */
export class StoreMetrics {
  readonly ranges: Counter;
  readonly puts: Counter;
  readonly deletes: Counter;
  /** Transactions of more than one operation. */
  readonly txns: Counter;
  readonly hashSeconds: Histogram;
  readonly indexCompactionMs: Histogram;
  readonly compactionBatchMs: Histogram;
  readonly compactionMs: Histogram;
  readonly lastCompaction: Gauge;
  readonly compactedRevisions: Counter;
  private readonly putBytes: Gauge;
  private putBytesTotal = 0;

  constructor(metrics: Metrics) {
    this.ranges = metrics.counter('etcd_mvcc_range_total', 'Ranges executed');
    this.puts = metrics.counter('etcd_mvcc_put_total', 'Puts executed');
    this.deletes = metrics.counter('etcd_mvcc_delete_total', 'Delete-range calls executed');
    this.txns = metrics.counter('etcd_mvcc_txn_total', 'Transactions with more than one operation');
    this.hashSeconds = metrics.histogram(
      'etcd_mvcc_hash_rev_duration_seconds',
      'Time of a hash by revision',
      Array.from({ length: 15 }, (_, i) => 0.01 * 2 ** i),
    );
    this.indexCompactionMs = metrics.histogram(
      'etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds',
      'Key-index compaction time',
      [0.5, ...pauseBuckets],
    );
    this.compactionBatchMs = metrics.histogram(
      'etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds',
      'Backend batch time in a compaction',
      pauseBuckets,
    );
    this.compactionMs = metrics.histogram(
      'etcd_debugging_mvcc_db_compaction_total_duration_milliseconds',
      'Whole backend compaction time',
      Array.from({ length: 14 }, (_, i) => 100 * 2 ** i),
    );
    this.lastCompaction = metrics.gauge(
      'etcd_debugging_mvcc_db_compaction_last',
      'Unix time of the last backend compaction',
    );
    this.compactedRevisions = metrics.counter(
      'etcd_debugging_mvcc_db_compaction_keys_total',
      'Revisions removed by compaction',
    );
    this.putBytes = metrics.gauge('etcd_debugging_mvcc_total_put_size_in_bytes', 'Key plus value bytes of puts');
  }

  put(bytes: number): void {
    this.puts.add(1);
    this.putBytesTotal += bytes;
    this.putBytes.set(this.putBytesTotal);
  }
}
