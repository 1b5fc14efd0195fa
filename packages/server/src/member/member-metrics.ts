import type { ApplyResult } from '@quorate/machine';
import type { Backend } from '@quorate/storage';
import type { MetricsRegistry } from '../metrics/registry.ts';
import type { Replica } from '../replica/replica.ts';
import { etcdVersion } from '../version.ts';
import type { Member } from './member.ts';

/** Metrics that are read off the member when somebody looks, under etcd's names. */
export function registerMemberMetrics(
  metrics: MetricsRegistry,
  member: Member,
  backend: () => Backend,
  replica: Replica<ApplyResult>,
): void {
  const gauges: [string, string, () => number][] = [
    [
      'etcd_server_has_leader',
      'Whether or not a leader exists. 1 is existence, 0 is not.',
      () => Number(member.hasLeader()),
    ],
    [
      'etcd_server_is_leader',
      'Whether or not this member is a leader. 1 if is, 0 otherwise.',
      () => Number(member.isLeader()),
    ],
    [
      'etcd_server_is_learner',
      'Whether or not this member is a learner. 1 if is, 0 otherwise.',
      () => Number(member.isLearner()),
    ],
    [
      'etcd_server_proposals_applied_total',
      'The total number of consensus proposals applied.',
      () => member.appliedIndex(),
    ],
    [
      'etcd_server_proposals_committed_total',
      'The total number of consensus proposals committed.',
      () => replica.committedIndex,
    ],
    [
      'etcd_server_proposals_pending',
      'The current number of pending proposals to commit.',
      () => replica.pendingProposals,
    ],
    [
      'etcd_mvcc_db_total_size_in_bytes',
      'Total size of the underlying database physically allocated in bytes.',
      () => backend().size(),
    ],
    [
      'etcd_mvcc_db_total_size_in_use_in_bytes',
      'Total size of the underlying database logically in use in bytes.',
      () => backend().sizeInUse(),
    ],
    ['etcd_debugging_auth_revision', 'The current revision of auth store.', () => member.authRevision()],
    ['etcd_debugging_mvcc_keys_total', 'Total number of keys.', () => member.store.keyCount],
    ['etcd_debugging_mvcc_current_revision', 'The current revision of store.', () => member.revision()],
    [
      'etcd_debugging_mvcc_compact_revision',
      'The revision of the last compaction in store.',
      () => member.store.compactRevision,
    ],
  ];
  const cells = gauges.map(([name, help, read]) => ({ gauge: metrics.gauge(name, help), read }));
  metrics
    .gauge('etcd_server_version', "Which version is running. 1 for 'server_version' label with current version.", {
      server_version: etcdVersion,
    })
    .set(1);
  metrics.onScrape(() => {
    for (const { gauge, read } of cells) gauge.set(read());
  });
}
