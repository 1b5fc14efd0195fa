import { CodedError, type Logger } from '@quorate/base';
import { type Bootstrap, Cluster, decodeV2Store, makeBootstrap } from '@quorate/machine';
import { type ConfState, emptyBytes, emptyConfState, isEmptyHardState, MemoryStorage } from '@quorate/raft';
import {
  type Backend,
  DataDirectory,
  decodeWalMetadata,
  encodeWalMetadata,
  hasMemberData,
  layoutOf,
  type Snapshot,
  SnapshotStore,
  validSnapshotEntries,
  Wal,
  type WalSnapshot,
  zeroSnapshot,
} from '@quorate/storage';
import { type MemberConfig, verifyBootstrap } from '../config/config.ts';
import type { MemberDeps } from './member-deps.ts';
import { openDatabase } from './member-state.ts';

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
  if (!isRestart) {
    verifyBootstrap(config);
  }
  const opened = new OpenFiles();
  try {
    const directory = opened.add(await DataDirectory.open(deps, layout));
    const snapshots = new SnapshotStore(deps, layout.snap);
    await snapshots.removeLeftovers();
    const start = isRestart ? await findSnapshot(deps, layout.wal, snapshots) : noSnapshot;
    if (start.index > 0 && !(await disk.exists(layout.database))) {
      throw new CodedError('member/no-database', `database file (${layout.database}) of the backend is missing`);
    }
    const backend = opened.add(await openDatabase(deps, config, layout.database));
    const cluster = new Cluster({ backend, logger });
    if (cluster.members.length === 0 && start.data.length > 0) cluster.replaceWith(decodeV2Store(start.data));
    // A new log would be made beside the data of another: the WAL directory of the configuration is the wrong one, then.
    if (!isRestart) checkDatabase(deps, layout.database, backend.consistentIndex, 0, 0);
    const log = isRestart ? await openLog(deps, config, layout.wal, start) : await createLog(deps, config, layout.wal);
    opened.add(log.wal);
    checkDatabase(deps, layout.database, backend.consistentIndex, start.index, log.raftStorage.lastIndex());
    return { directory, backend, snapshots, cluster, snapshot: start, ...log };
  } catch (error) {
    await opened.closeAll(logger);
    throw error;
  }
}

/** What is open already when the rest cannot be opened: whoever embeds a member may try again. */
class OpenFiles {
  private readonly files: { close(): Promise<void> }[] = [];

  add<F extends { close(): Promise<void> }>(file: F): F {
    this.files.unshift(file);
    return file;
  }

  async closeAll(logger: Logger): Promise<void> {
    for (const file of this.files) {
      await file.close().catch((error: unknown) => logger.warn('failed to close a file', { error: String(error) }));
    }
  }
}

type OpenedLog = Pick<MemberStorage, 'memberId' | 'clusterId' | 'wal' | 'raftStorage' | 'bootstrap'>;

const walOptionsOf = (config: MemberConfig, directory: string) => ({ directory, unsafeNoSync: config.unsafeNoFsync });

function bootstrapOf(deps: MemberDeps, config: MemberConfig): Bootstrap {
  const members = [...config.initialCluster].map(([name, peerUrls]) => ({ name, peerUrls }));
  return makeBootstrap(deps.sha1, members, config.initialClusterToken);
}

async function createLog(deps: MemberDeps, config: MemberConfig, directory: string): Promise<OpenedLog> {
  const bootstrap = bootstrapOf(deps, config);
  const memberId = ownId(bootstrap, config);
  const { clusterId } = bootstrap;
  const metadata = encodeWalMetadata({ nodeId: memberId, clusterId });
  const wal = await Wal.create(deps, walOptionsOf(config, directory), metadata);
  return { memberId, clusterId, wal, raftStorage: new MemoryStorage(), bootstrap };
}

async function openLog(
  deps: MemberDeps,
  config: MemberConfig,
  directory: string,
  start: StartPoint,
): Promise<OpenedLog> {
  const { wal, content } = await Wal.open(deps, walOptionsOf(config, directory), {
    index: start.index,
    term: start.term,
  });
  try {
    const { nodeId: memberId, clusterId } = decodeWalMetadata(wal.metadata);
    const raftStorage = new MemoryStorage();
    if (start.index === 0 && isEmptyHardState(content.hardState)) {
      const bootstrap = bootstrapAgain(deps, config, memberId, clusterId);
      return { memberId, clusterId, wal, raftStorage, bootstrap };
    }
    if (start.index > 0) raftStorage.applySnapshot({ data: emptyBytes, metadata: start });
    raftStorage.setHardState(content.hardState);
    raftStorage.append(content.entries);
    return { memberId, clusterId, wal, raftStorage, bootstrap: undefined };
  } catch (error) {
    await wal.close();
    throw error;
  }
}

/**
 * The first start ended after the log was made and before its first entries were durable, so nobody was told anything: the bootstrap is done
 * once more, and only if the configuration still describes the same cluster. Without it raft would wait for members it does not know.
 */
function bootstrapAgain(deps: MemberDeps, config: MemberConfig, memberId: bigint, clusterId: bigint): Bootstrap {
  const unfinished = 'the first start of this member was interrupted';
  if (config.initialClusterState !== 'new') {
    throw new CodedError('member/unfinished-bootstrap', `${unfinished}; remove its data directory and add it again`);
  }
  verifyBootstrap(config);
  const bootstrap = bootstrapOf(deps, config);
  if (bootstrap.clusterId !== clusterId || ownId(bootstrap, config) !== memberId) {
    throw new CodedError(
      'member/unfinished-bootstrap',
      `${unfinished}, and its configuration was another one: it was to become member ${memberId.toString(16)} of cluster ${clusterId.toString(16)}`,
    );
  }
  deps.logger.warn('the first start was interrupted; bootstrapping once more', { 'local-member-id': memberId });
  return bootstrap;
}

/**
 * The database must belong to the log: entries up to its index are taken as applied, and those from the snapshot to it must still be there.
 * @throws CodedError member/database-mismatch rather than leave out entries or apply them to the wrong state
 */
function checkDatabase(deps: MemberDeps, path: string, index: number, snapshotIndex: number, lastIndex: number): void {
  if (index > lastIndex) {
    throw new CodedError(
      'member/database-mismatch',
      `database file (${path} index ${index}) is ahead of the write-ahead log (last index ${lastIndex}): is it the right WAL directory?`,
    );
  }
  if (index >= snapshotIndex) return;
  if (index > 0) {
    throw new CodedError(
      'member/database-mismatch',
      `database file (${path} index ${index}) does not match with snapshot (index ${snapshotIndex})`,
    );
  }
  // Data of an etcd that was only ever used through its version 2 API.
  deps.logger.warn('consistent index was never saved', { 'snapshot-index': snapshotIndex });
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
