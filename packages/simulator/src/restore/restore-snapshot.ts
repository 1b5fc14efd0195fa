import {
  type Clock,
  CodedError,
  type Disk,
  equalBytes,
  latin1ToBytes,
  noMetrics,
  type Random,
  silentLogger,
} from '@quorate/base';
import { Cluster, encodeV2Store, type InitialMember, makeBootstrap, type Sha1 } from '@quorate/machine';
import {
  ConfChangeType,
  createConfChange,
  type Entry,
  EntryType,
  emptyConfState,
  encodeConfChange,
} from '@quorate/raft';
import {
  type Backend,
  BucketId,
  encodeRevisionKey,
  encodeWalMetadata,
  layoutOf,
  MetaKey,
  openBackend,
  SnapshotStore,
  Wal,
} from '@quorate/storage';

export interface RestoreDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly sha1: Sha1;
  readonly sha256: () => { update(bytes: Uint8Array): void; finish(): Uint8Array };
}

export interface RestoreSettings {
  readonly name: string;
  readonly initialCluster: readonly InitialMember[];
  readonly token: string;
  /** Added to the last revision, which is then marked as compacted; 0 for neither. */
  readonly bumpRevision: number;
}

const digestBytes = 32;
const term = 1;

/**
 * Makes the data directory of a member of a new cluster from a saved snapshot, as `etcdutl snapshot restore` does: the database with the new
 * members and nothing of the old ones, a log that begins with them, and a snapshot file behind that. All of it is durable when it resolves.
 * @throws CodedError restore/not-empty, restore/checksum
 */
export async function restoreSnapshot(deps: RestoreDeps, bytes: Uint8Array, settings: RestoreSettings): Promise<void> {
  const { disk, clock, random, sha1 } = deps;
  const layout = layoutOf(`${settings.name}.etcd`);
  if (await disk.exists(layout.root)) throw new CodedError('restore/not-empty', `data-dir "${layout.root}" not empty`);
  await disk.makeDirectory(layout.snap);
  await writeDatabase(deps, layout.database, bytes);
  const { members, changes, clusterId } = makeBootstrap(sha1, settings.initialCluster, settings.token);
  const backend = await openBackend({ disk, clock }, layout.database, { onFatal: () => {} });
  new Cluster({ backend }).replaceWith({ members, removedIds: [], version: undefined });
  if (settings.bumpRevision > 0) bump(backend, settings.bumpRevision);
  backend.setConsistentIndex(changes.length, term);
  await backend.commit();
  await backend.close();

  const walDeps = { disk, clock, logger: silentLogger, metrics: noMetrics };
  const own = members.find(({ name }) => name === settings.name);
  if (own === undefined) throw new CodedError('restore/name', `couldn't find local name "${settings.name}"`);
  const metadata = encodeWalMetadata({ nodeId: own.id, clusterId });
  const wal = await Wal.create(walDeps, { directory: layout.wal, segmentBytes: 65_536 }, metadata);
  const entries = changes.map(({ nodeId, context }, i): Entry => {
    const data = encodeConfChange(createConfChange({ type: ConfChangeType.AddNode, nodeId, context }));
    return { term, index: i + 1, type: EntryType.ConfChange, data };
  });
  wal.append({ term, vote: members[0]?.id ?? 0n, commit: changes.length }, entries);
  const confState = { ...emptyConfState, voters: members.map(({ id }) => id) };
  const snapshot = { index: changes.length, term, confState };
  const data = encodeV2Store({ members, removedIds: [], version: undefined });
  await new SnapshotStore({ ...walDeps, random }, layout.snap).save({ data, metadata: snapshot });
  await wal.saveSnapshot(snapshot);
  await wal.close();
  for (const directory of [layout.snap, layout.member, layout.root, '.']) await disk.syncDirectory(directory);
}

async function writeDatabase({ disk, sha256 }: RestoreDeps, path: string, bytes: Uint8Array): Promise<void> {
  const database = bytes.subarray(0, bytes.length - digestBytes);
  const digest = sha256();
  digest.update(database);
  if (!equalBytes(digest.finish(), bytes.subarray(database.length))) {
    throw new CodedError('restore/checksum', 'the checksum of the snapshot is another one');
  }
  const file = await disk.open(path, { write: true, create: true, exclusive: true });
  await file.write([database], 0);
  await file.sync();
  await file.close();
}

/** An empty value so many revisions behind the last, where a compaction is said to be under way. */
function bump(backend: Backend, amount: number): void {
  let [lastMain, lastSub] = [1, 0];
  backend.rangeRevisions(0, 0, Number.MAX_SAFE_INTEGER, (main, sub) => {
    [lastMain, lastSub] = [main, sub];
    return true;
  });
  const main = lastMain + amount;
  backend.putRevision(main, lastSub, false, new Uint8Array(0));
  backend.put(BucketId.meta, latin1ToBytes(MetaKey.scheduledCompactRevision), encodeRevisionKey(main, 0, false));
}
