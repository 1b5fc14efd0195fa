import { CodedError, hasCode } from '@quorate/base';
import { type Bootstrap, Cluster, type Member, memberIdText } from '@quorate/machine';
import {
  type ConfState,
  type Entry,
  emptyBytes,
  emptyConfState,
  type HardState,
  isEmptyHardState,
  MemoryStorage,
} from '@quorate/raft';
import {
  type Backend,
  DataDirectory,
  type DataDirectoryLayout,
  decodeWalMetadata,
  encodeWalMetadata,
  hasMemberData,
  layoutOf,
  SnapshotStore,
  Wal,
  type WalSnapshot,
  zeroSnapshot,
} from '@quorate/storage';
import type { MemberConfig } from '../config/config.ts';
import type { MemberDeps } from '../member/member-deps.ts';
import { openDatabase } from '../member/member-state.ts';
import { checkClusterVersion } from './cluster-version-check.ts';
import { describeNewCluster, type FirstStart, prepareFirstStart } from './first-start.ts';
import { forceNewCluster } from './force-new-cluster.ts';
import { joinCluster } from './join-cluster.ts';
import { logOpened } from './opened-log.ts';
import { defragmentAtStart } from './start-defragmentation.ts';
import { chooseStart, findSnapshots, membershipAtDatabase, type StartPoint } from './start-point.ts';

/** Everything a member has on disk, open, and what raft starts from. */
export interface MemberStorage {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly directory: DataDirectory;
  readonly backend: Backend;
  readonly wal: Wal;
  readonly snapshots: SnapshotStore;
  readonly raftStorage: MemoryStorage;
  /** The members as of the database's index. */
  readonly cluster: Cluster;
  /** What the log begins behind. */
  readonly snapshot: { readonly index: number; readonly term: number };
  /** Raft's configuration as of the database's index. */
  readonly confState: ConfState;
  /** Whether nothing was there before. */
  readonly isFirstStart: boolean;
  /** Of a new cluster: what its log begins with. */
  readonly bootstrap: Bootstrap | undefined;
  /** At a first start: the other members, for the transport, since the log does not tell of them yet. */
  readonly firstPeers: readonly Member[];
}

/** Opens what a member left, or begins: with a new cluster, or in one that is there. @throws CodedError, UsageError */
export async function openMemberStorage(deps: MemberDeps, config: MemberConfig): Promise<MemberStorage> {
  const layout = layoutOf(config.dataDir, config.walDir);
  const isRestart = await hasMemberData(deps, layout);
  // Before anything is made on disk: a refusal leaves nothing behind.
  const first = isRestart ? undefined : await prepareFirstStart(deps, config);
  const opened = new OpenFiles(deps);
  try {
    const directory = opened.add(await DataDirectory.open(deps, layout));
    const snapshots = new SnapshotStore(deps, layout.snap);
    await snapshots.removeLeftovers();
    const files = { directory, snapshots, layout, opened };
    const storage = first === undefined ? await restart(deps, config, files) : await begin(deps, config, files, first);
    logOpened(deps.logger, storage);
    await defragmentAtStart(deps, storage.backend, config.bootstrapDefragBytes);
    return storage;
  } catch (error) {
    await opened.closeAll();
    throw error;
  }
}

/** What is open already when the rest cannot be opened: whoever embeds a member may try again. */
class OpenFiles {
  private readonly deps: Pick<MemberDeps, 'logger'>;
  private readonly files: { close(): Promise<void> }[] = [];

  constructor(deps: Pick<MemberDeps, 'logger'>) {
    this.deps = deps;
  }

  add<F extends { close(): Promise<void> }>(file: F): F {
    this.files.unshift(file);
    return file;
  }

  async closeAll(): Promise<void> {
    const failed = (error: unknown) => this.deps.logger.warn('failed to close a file', { error: String(error) });
    for (const file of this.files) await file.close().catch(failed);
  }
}

interface Files {
  readonly directory: DataDirectory;
  readonly snapshots: SnapshotStore;
  readonly layout: DataDirectoryLayout;
  readonly opened: OpenFiles;
}

const walOptionsOf = (deps: MemberDeps, config: MemberConfig, { wal }: DataDirectoryLayout) => ({
  directory: wal,
  unsafeNoSync: config.unsafeNoFsync,
  ...deps.walShape,
});

/** The first start of a member. */
async function begin(deps: MemberDeps, config: MemberConfig, files: Files, first: FirstStart): Promise<MemberStorage> {
  const { layout, opened } = files;
  const backend = opened.add(await openDatabase(deps, config, layout.database));
  // A new log would be made beside the data of another: the WAL directory of the configuration is the wrong one, then.
  checkDatabase(deps, layout.database, backend.consistentIndex, 0, 0);
  const cluster = new Cluster({ backend, logger: deps.logger }, { learnersMax: config.learnersMax });
  const metadata = encodeWalMetadata({ nodeId: first.memberId, clusterId: first.clusterId });
  const wal = opened.add(await Wal.create(deps, walOptionsOf(deps, config, layout), metadata));
  return {
    ...files,
    ...first,
    backend,
    cluster,
    wal,
    isFirstStart: true,
    raftStorage: new MemoryStorage(),
    snapshot: zeroSnapshot,
    confState: emptyConfState,
  };
}

async function restart(deps: MemberDeps, config: MemberConfig, files: Files): Promise<MemberStorage> {
  const { layout, opened } = files;
  const found = await findSnapshots(deps, layout.wal, files.snapshots);
  const backend = opened.add(await openDatabaseAt(deps, config, files, found.record));
  const start = chooseStart(found, backend, deps.logger);
  const { wal, content } = await Wal.open(deps, walOptionsOf(deps, config, layout), {
    index: start.index,
    term: start.term,
  });
  opened.add(wal);
  const { nodeId: memberId, clusterId } = decodeWalMetadata(wal.metadata);
  const lastIndex = content.entries.at(-1)?.index ?? start.index;
  checkDatabase(deps, layout.database, backend.consistentIndex, start.index, lastIndex);
  const cluster = new Cluster({ backend, logger: deps.logger }, { learnersMax: config.learnersMax });
  const confState = membershipAtDatabase(start, content.entries, { backend, cluster, learnersMax: config.learnersMax });
  checkMembership(cluster, memberId);
  const ids = { memberId, clusterId };
  const common = { ...files, ...ids, backend, cluster, wal, snapshot: start, confState, isFirstStart: false };
  if (start.index === 0 && isEmptyHardState(content.hardState)) {
    const first = await beginAgain(deps, config, memberId, clusterId);
    return { ...common, raftStorage: new MemoryStorage(), bootstrap: first.bootstrap, firstPeers: first.firstPeers };
  }
  let log: RaftLog = content;
  if (config.forceNewCluster) log = await forceAlone(deps, wal, memberId, content, backend.consistentIndex, confState);
  return { ...common, raftStorage: raftStorageOf(start, confState, log), bootstrap: undefined, firstPeers: [] };
}

interface RaftLog {
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
}

/** What raft reads. Its configuration is that of the database's index, not of where the log begins. */
function raftStorageOf(start: StartPoint, confState: ConfState, log: RaftLog): MemoryStorage {
  const storage = new MemoryStorage();
  const { index, term } = start;
  if (index > 0) storage.applySnapshot({ data: emptyBytes, metadata: { index, term, confState } });
  storage.setHardState(log.hardState);
  storage.append(log.entries);
  return storage;
}

async function forceAlone(
  deps: MemberDeps,
  wal: Wal,
  memberId: bigint,
  log: RaftLog,
  consistentIndex: number,
  confState: ConfState,
): Promise<RaftLog> {
  const forced = forceNewCluster(memberId, log, { consistentIndex, confState });
  wal.append(forced.hardState, forced.added);
  await wal.sync();
  deps.logger.info('forcing restart member', {
    'local-member-id': memberIdText(memberId),
    'wal-commit-index': log.hardState.commit,
    'commit-index': forced.hardState.commit,
  });
  return forced;
}

/**
 * Opens the database; first puts the one that came with the leader's snapshot in its place, where a crash came between the log's record of
 * the snapshot and that.
 */
async function openDatabaseAt(
  deps: MemberDeps,
  config: MemberConfig,
  { snapshots, layout }: Files,
  { index }: WalSnapshot,
): Promise<Backend> {
  const received = await snapshots.databasePath(index);
  if (index > 0 && received === undefined && !(await deps.disk.exists(layout.database))) {
    throw new CodedError('member/no-database', `database file (${layout.database}) of the backend is missing`);
  }
  const backend = await openDatabase(deps, config, layout.database);
  if (received === undefined || backend.consistentIndex >= index) return backend;
  deps.logger.info('Recovering from snapshot backend', {
    'consistent-index': backend.consistentIndex,
    'snapshot-index': index,
  });
  await backend.close();
  await snapshots.installDatabase(index, layout.database);
  return openDatabase(deps, config, layout.database);
}

/** @throws CodedError `member/removed`, `member/version-too-high` */
function checkMembership(cluster: Cluster, memberId: bigint): void {
  if (cluster.isRemoved(memberId)) {
    throw new CodedError('member/removed', 'the member has been permanently removed from the cluster');
  }
  checkClusterVersion(cluster.version);
}

/**
 * The first start ended after the log was made and before anything was in it, so nobody was told anything: it is done once more, and only if
 * it comes to the same member. Without it raft would wait for members it does not know.
 */
async function beginAgain(
  deps: MemberDeps,
  config: MemberConfig,
  memberId: bigint,
  clusterId: bigint,
): Promise<Pick<FirstStart, 'bootstrap' | 'firstPeers'>> {
  const isNew = config.initialClusterState === 'new';
  let first: FirstStart;
  try {
    first = isNew ? await describeNewCluster(deps, config) : await joinCluster(deps, config);
  } catch (error) {
    if (!hasCode(error, 'bootstrap/no-cluster')) throw error;
    // Nobody answers yet. The log says who this member is; the leader will come to it.
    deps.logger.warn('going on without knowing the other members', { error: (error as Error).message });
    return { bootstrap: undefined, firstPeers: [] };
  }
  if (first.clusterId !== clusterId || first.memberId !== memberId) {
    throw new CodedError(
      'member/unfinished-bootstrap',
      `the first start of this member was interrupted, and its configuration was another one: it was to become member ${memberIdText(memberId)} of cluster ${memberIdText(clusterId)}`,
    );
  }
  const what = isNew ? 'bootstrapping' : 'joining';
  deps.logger.warn(`the first start was interrupted; ${what} once more`, { 'local-member-id': memberId });
  return first;
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
