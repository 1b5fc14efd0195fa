import { join } from 'node:path';
import type { Logger } from '@quorate/base';
import type { CompactionPolicy } from '../config/compaction-policy.ts';
import type { MemberConfig } from '../config/config.ts';
import { formatDuration } from '../config/duration.ts';
import type { MemberUrl } from '../config/urls.ts';
import { etcdVersion, quorateVersion } from '../version.ts';

/** What the member is started with, in etcd's words. @param isInitialized there is a member in the directory already */
export function logConfiguration(logger: Logger, config: MemberConfig, isInitialized: boolean): void {
  const cluster = [...config.initialCluster].flatMap(([name, urls]) => urls.map((url) => `${name}=${url}`));
  const { v3 } = config.discovery;
  const retention = retentionText(config.autoCompaction);
  logger.info('starting an etcd server', {
    'etcd-version': etcdVersion,
    'quorate-version': quorateVersion,
    'node-version': process.version,
    'member-initialized': isInitialized,
    name: config.name,
    'data-dir': config.dataDir,
    'wal-dir': config.walDir,
    'wal-dir-dedicated': config.walDir,
    'member-dir': join(config.dataDir, 'member'),
    'force-new-cluster': config.forceNewCluster,
    'heartbeat-interval': formatDuration(config.heartbeatMs),
    'election-timeout': formatDuration(config.electionMs),
    'initial-election-tick-advance': config.initialElectionTickAdvance,
    'snapshot-count': config.snapshotCount,
    'max-wals': config.walsMax,
    'max-snapshots': config.snapshotsMax,
    'snapshot-catchup-entries': config.snapshotCatchUpEntries,
    ...addresses(config),
    cors: config.corsOrigins,
    'host-whitelist': config.hostWhitelist,
    // They count at a first start only.
    'initial-cluster': isInitialized ? '' : cluster.join(),
    'initial-cluster-state': config.initialClusterState,
    'initial-cluster-token': isInitialized ? '' : config.initialClusterToken,
    'quota-backend-bytes': config.quotaBytes,
    'max-request-bytes': config.requestBytesMax,
    'max-concurrent-streams': config.concurrentStreamsMax,
    'pre-vote': config.preVote,
    'strict-reconfig-check': config.strictReconfigCheck,
    'feature-gates': [...config.featureGates].map(([gate, isOn]) => `${gate}=${isOn}`).join(),
    'initial-corrupt-check': config.featureGates.get('InitialCorruptCheck') === true,
    'corrupt-check-time-interval': formatDuration(config.corruptCheckMs),
    'compact-check-time-interval': formatDuration(config.compactHashCheckMs),
    'auto-compaction-mode': config.autoCompaction?.mode ?? 'off',
    'auto-compaction-retention': retention,
    'auto-compaction-interval': retention,
    'discovery-token': v3.token,
    'discovery-endpoints': v3.endpoints,
    'downgrade-check-interval': formatDuration(config.downgradeCheckMs),
    'max-learners': config.learnersMax,
    'v2-deprecation': 'write-only',
  });
}

/** The member takes part and has all its ports; clients are served when there is a leader. */
export function logServing(logger: Logger, config: MemberConfig, memberId: bigint): void {
  logger.info('now serving peer/client/metrics', { 'local-member-id': memberId, ...addresses(config) });
}

export function logClosing(
  logger: Logger,
  config: MemberConfig,
  message: 'closing etcd server' | 'closed etcd server',
): void {
  const { name, dataDir, advertisePeerUrls, advertiseClientUrls } = config;
  logger.info(message, {
    name,
    'data-dir': dataDir,
    'advertise-peer-urls': hrefs(advertisePeerUrls),
    'advertise-client-urls': hrefs(advertiseClientUrls),
  });
}

/** A time, or a number of revisions. */
function retentionText(policy: CompactionPolicy | undefined): string {
  if (policy === undefined) return '0s';
  return policy.mode === 'periodic' ? formatDuration(policy.retentionMs) : String(policy.retention);
}

function addresses(config: MemberConfig): Readonly<Record<string, readonly string[]>> {
  return {
    'initial-advertise-peer-urls': hrefs(config.advertisePeerUrls),
    'listen-peer-urls': hrefs(config.listenPeerUrls),
    'advertise-client-urls': hrefs(config.advertiseClientUrls),
    'listen-client-urls': hrefs(config.listenClientUrls),
    'listen-metrics-urls': hrefs(config.listenMetricsUrls),
  };
}

function hrefs(urls: readonly MemberUrl[]): readonly string[] {
  return urls.map(({ href }) => href);
}
