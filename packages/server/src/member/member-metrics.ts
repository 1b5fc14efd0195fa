import type { etcdserverpb } from '@quorate/api';
import type { Gauge } from '@quorate/base';
import type { ApplyResult } from '@quorate/machine';
import type { Backend } from '@quorate/storage';
import { featureGates } from '../config/flag-table.ts';
import type { MetricsRegistry } from '../metrics/registry.ts';
import type { Replica } from '../replica/replica.ts';
import { alarmName } from '../rpc/maintenance.ts';
import { etcdVersion } from '../version.ts';
import type { Member } from './member.ts';

/** Metrics that are read off the member when somebody looks, under etcd's names. */
export function registerMemberMetrics(
  metrics: MetricsRegistry,
  member: Member,
  backend: () => Backend,
  replica: Replica<ApplyResult>,
  alarms: () => readonly etcdserverpb.AlarmMember[],
): void {
  const cells = gaugesOf(member, backend, replica).map(([name, help, read]) => ({
    gauge: metrics.gauge(name, help),
    read,
  }));
  metrics
    .gauge('etcd_server_version', "Which version is running. 1 for 'server_version' label with current version.", {
      server_version: etcdVersion,
    })
    .set(1);
  metrics
    .gauge('etcd_server_id', "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.", {
      server_id: member.memberId.toString(16),
    })
    .set(1);
  showFeatures(metrics, member.config.featureGates);
  const showVersion = clusterVersionGauge(metrics);
  const showAlarms = alarmGauges(metrics);
  metrics.onScrape(() => {
    showVersion(member.clusterVersion());
    showAlarms(alarms());
    for (const { gauge, read } of cells) gauge.set(read());
  });
}

function gaugesOf(
  member: Member,
  backend: () => Backend,
  replica: Replica<ApplyResult>,
): [name: string, help: string, read: () => number][] {
  return [
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
}

function showFeatures(metrics: MetricsRegistry, enabled: ReadonlyMap<string, boolean>): void {
  for (const { name, stage } of featureGates) {
    const labels = { name, stage: stage.toUpperCase() };
    const help = 'Whether or not a feature is enabled. 1 is enabled, 0 is not.';
    metrics.gauge('etcd_server_feature_enabled', help, labels).set(Number(enabled.get(name) === true));
  }
}

/** Shows alarms that are raised as 1 and those that were as 0. */
function alarmGauges(metrics: MetricsRegistry): (alarms: readonly etcdserverpb.AlarmMember[]) => void {
  const seen = new Map<string, Gauge>();
  return (alarms) => {
    for (const gauge of seen.values()) gauge.set(0);
    for (const { memberId, alarm } of alarms) {
      const labels = { server_id: memberId.toString(16), alarm_type: alarmName(alarm) };
      const key = Object.values(labels).join();
      const help =
        "Alarms for every member in cluster. 1 for 'server_id' label with current ID. 2 for 'alarm_type' label with type of this alarm";
      const gauge = seen.get(key) ?? metrics.gauge('etcd_debugging_server_alarms', help, labels);
      seen.set(key, gauge);
      gauge.set(1);
    }
  };
}

/** Shows the version as 1 and those it had before as 0. */
function clusterVersionGauge(metrics: MetricsRegistry): (version: string | undefined) => void {
  let shown = '';
  const gauge = (version: string) =>
    metrics.gauge(
      'etcd_cluster_version',
      "Which version is running. 1 for 'cluster_version' label with current version.",
      {
        cluster_version: version,
      },
    );
  return (version) => {
    const now = version?.replace(/\.\d+$/, '') ?? '';
    if (now === shown) return;
    if (shown !== '') gauge(shown).set(0);
    if (now !== '') gauge(now).set(1);
    shown = now;
  };
}
