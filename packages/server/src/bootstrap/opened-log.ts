import { humanBytes, type Logger } from '@quorate/base';
import { minorVersion } from '../version.ts';
import type { MemberStorage } from './open-storage.ts';

/** Says in etcd's words what was found on disk. */
export function logOpened(logger: Logger, storage: MemberStorage): void {
  const { memberId, clusterId, backend, isFirstStart, raftStorage } = storage;
  const own = { 'cluster-id': clusterId, 'local-member-id': memberId };
  logger.info('restore consistentIndex', { index: backend.consistentIndex });
  if (isFirstStart) {
    logger.info('starting local member', own);
    return;
  }
  const [size, inUse] = [backend.size(), backend.sizeInUse()];
  logger.info('recovered v3 backend', {
    'backend-size-bytes': size,
    'backend-size': humanBytes(size),
    'backend-size-in-use-bytes': inUse,
    'backend-size-in-use': humanBytes(inUse),
  });
  const commit = raftStorage.initialState().hardState.commit;
  logger.info('restarting local member', { ...own, 'commit-index': commit });
  logMembership(logger, storage);
}

function logMembership(logger: Logger, { memberId, clusterId, cluster }: MemberStorage): void {
  const { version } = cluster;
  if (version !== undefined)
    logger.info('enabled capabilities for version', { 'cluster-version': minorVersion(version) });
  for (const { id, peerUrls, isLearner } of cluster.members) {
    logger.info('recovered/added member from store', {
      'cluster-id': clusterId,
      'local-member-id': memberId,
      'recovered-remote-peer-id': id,
      'recovered-remote-peer-urls': peerUrls,
      'recovered-remote-peer-is-learner': isLearner,
    });
  }
  if (version !== undefined)
    logger.info('set cluster version from store', { 'cluster-version': minorVersion(version) });
}
