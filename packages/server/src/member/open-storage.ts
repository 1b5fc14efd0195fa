import { CodedError } from '@quorate/base';
import { type Bootstrap, Cluster, decodeV2Store, makeBootstrap } from '@quorate/machine';
import { type ConfState, emptyBytes, emptyConfState, MemoryStorage } from '@quorate/raft';
import {
  type Backend,
  DataDirectory,
  decodeWalMetadata,
  encodeWalMetadata,
  hasMemberData,
  layoutOf,
  openBackend,
  type Snapshot,
  SnapshotStore,
  validSnapshotEntries,
  Wal,
  type WalSnapshot,
  zeroSnapshot,
} from '@quorate/storage';
import { type MemberConfig, verifyBootstrap } from '../config/config.ts';
import type { MemberDeps } from './member-deps.ts';

/** Everything a member has on disk, open, and what raft starts from. */
export interface MemberStorage {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly directory: DataDirectory;
  readonly backend: Backend;
  readonly wal: Wal;
  readonly snapshots: SnapshotStore;
  readonly raftStorage: MemoryStorage;
  readonly cluster: Cluster;
  /** What the log begins behind. */
  readonly snapshot: { readonly index: number; readonly term: number; readonly confState: ConfState };
  /** Of a new cluster: what its log begins with. */
  readonly bootstrap: Bootstrap | undefined;
}

/** Opens what a member left, or begins a new one from the initial cluster. @throws CodedError, UsageError */
export async function openMemberStorage(deps: MemberDeps, config: MemberConfig): Promise<MemberStorage> {
  const { disk, logger } = deps;
  const layout = layoutOf(config.dataDir, config.walDir);
  const isRestart = await hasMemberData(deps, layout);
  logger.info(isRestart ? 'server has already been initialized' : 'Initialize and start etcd server', {
    'data-dir': layout.root,
    ...(isRestart ? { 'dir-type': 'member' } : {}),
  });
  if (!isRestart) verifyBootstrap(config);
  const directory = await DataDirectory.open(deps, layout);
  const snapshots = new SnapshotStore(deps, layout.snap);
  await snapshots.removeLeftovers();
  const start = isRestart ? await findSnapshot(deps, layout.wal, snapshots) : noSnapshot;
  if (start.index > 0 && !(await disk.exists(layout.database))) {
    throw new CodedError('member/no-database', `database file (${layout.database}) of the backend is missing`);
  }
  const backend = await openBackend(deps, layout.database, {
    batchIntervalMs: config.backendBatchIntervalMs,
    batchLimit: config.backendBatchLimit,
    onFatal: deps.onFatal,
  });
  logger.info('opened backend db', { path: layout.database });
  const cluster = new Cluster({ backend, logger });
  if (cluster.members.length === 0 && start.data.length > 0) cluster.replaceWith(decodeV2Store(start.data));
  const walOptions = { directory: layout.wal, unsafeNoSync: config.unsafeNoFsync };
  const common = { directory, backend, snapshots, cluster, snapshot: start };
  if (!isRestart) {
    const bootstrap = makeBootstrap(
      deps.sha1,
      [...config.initialCluster].map(([name, peerUrls]) => ({ name, peerUrls })),
      config.initialClusterToken,
    );
    const memberId = ownId(bootstrap, config);
    const { clusterId } = bootstrap;
    const wal = await Wal.create(deps, walOptions, encodeWalMetadata({ nodeId: memberId, clusterId }));
    return { ...common, memberId, clusterId, wal, raftStorage: new MemoryStorage(), bootstrap };
  }
  const { wal, content } = await Wal.open(deps, walOptions, { index: start.index, term: start.term });
  const { nodeId: memberId, clusterId } = decodeWalMetadata(wal.metadata);
  const raftStorage = new MemoryStorage();
  if (start.index > 0) raftStorage.applySnapshot({ data: emptyBytes, metadata: start });
  raftStorage.setHardState(content.hardState);
  raftStorage.append(content.entries);
  return { ...common, memberId, clusterId, wal, raftStorage, bootstrap: undefined };
}

interface StartPoint extends WalSnapshot {
  readonly confState: ConfState;
  /** The membership tree of the snapshot file; empty where the log's record alone says where to start. */
  readonly data: Uint8Array;
}

const noSnapshot: StartPoint = { ...zeroSnapshot, confState: emptyConfState, data: emptyBytes };

/**
 * Where a restart begins. etcd up to 3.6 takes the newest snapshot file that the log has a record of; 3.7 takes the last record itself. A
 * record with its configuration is enough for us; one without (3.4) needs the file.
 */
async function findSnapshot(deps: MemberDeps, walDirectory: string, snapshots: SnapshotStore): Promise<StartPoint> {
  const recorded = (await validSnapshotEntries(deps, walDirectory)).filter((record) => record.index > 0);
  const file: Snapshot | undefined = await snapshots.loadNewest(recorded);
  const last = recorded.reduce((newest, record) => (record.index > newest.index ? record : newest), zeroSnapshot);
  if (file !== undefined && file.metadata.index >= last.index) return { ...file.metadata, data: file.data };
  if (last.index > 0 && last.confState !== undefined) return { ...last, confState: last.confState, data: emptyBytes };
  return file === undefined ? noSnapshot : { ...file.metadata, data: file.data };
}

function ownId(bootstrap: Bootstrap, config: MemberConfig): bigint {
  const own = bootstrap.members.find((member) => member.name === config.name);
  if (own === undefined)
    throw new CodedError(
      'member/not-in-cluster',
      `couldn't find local name "${config.name}" in the initial cluster configuration`,
    );
  return own.id;
}
