import { equalBytes, type Logger, latin1ToBytes } from '@quorate/base';
import {
  type Cluster,
  decodeConfStateJson,
  decodeV2Store,
  encodeV2Store,
  type MembershipState,
} from '@quorate/machine';
import { type ConfState, type Entry, EntryType, emptyConfState } from '@quorate/raft';
import {
  type Backend,
  BucketId,
  MetaKey,
  type Snapshot,
  type SnapshotStore,
  validSnapshotEntries,
  type WalSnapshot,
  zeroSnapshot,
} from '@quorate/storage';
import type { MemberDeps } from '../member/member-deps.ts';
import { compareIds, replayMembership } from './replay-membership.ts';

/** What the snapshot files and the log's records of snapshots say about where a restart may begin. */
export interface Snapshots {
  /** The newest record that the log's commit covers; of index 0 when there is none. */
  readonly record: WalSnapshot;
  /** The newest file that the log has a record of. */
  readonly file: Snapshot | undefined;
}

export async function findSnapshots(
  deps: Pick<MemberDeps, 'disk' | 'clock' | 'logger'>,
  walDirectory: string,
  store: SnapshotStore,
): Promise<Snapshots> {
  const recorded = (await validSnapshotEntries(deps, walDirectory)).filter((record) => record.index > 0);
  const record = recorded.reduce((newest, each) => (each.index >= newest.index ? each : newest), zeroSnapshot);
  return { record, file: await store.loadNewest(recorded) };
}

/** Whether the database has the truth about the membership, or the trees in snapshots and the log have. */
function holdsMembership(backend: Pick<Backend, 'get'>): boolean {
  return backend.get(BucketId.meta, latin1ToBytes(MetaKey.storageVersion)) !== undefined;
}

/**
 * After a leader's snapshot, whose database the cluster has been read from.
 * @param data the tree beside the database.
 */
export function takeReceivedMembership(cluster: Cluster, backend: Backend, data: Uint8Array): void {
  if (!holdsMembership(backend) && data.length > 0) takeMembership(cluster, decodeV2Store(data));
}

function takeMembership(cluster: Cluster, state: MembershipState): void {
  if (!equalBytes(encodeV2Store(state), encodeV2Store(cluster.state))) cluster.replaceWith(state);
}

/** Where the log is read from. */
export interface StartPoint extends WalSnapshot {
  readonly confState: ConfState;
  /** The membership there, if it is to be gone on from; undefined where the database has the membership. */
  readonly membership: MembershipState | undefined;
}

const nobody: MembershipState = { members: [], removedIds: [], version: undefined };

/**
 * Directories up to 3.5 have the truth about the membership in the tree of the newest snapshot file and in the log behind it; from 3.6 on it
 * is in the database, which then has a storage version, and the newest record in the log is enough (3.7 does not read the files).
 */
export function chooseStart({ record, file }: Snapshots, backend: Backend, logger: Logger): StartPoint {
  const isOfDatabase = holdsMembership(backend);
  const hasFile = file !== undefined && file.metadata.index >= record.index;
  if (!isOfDatabase && record.index === 0) return { ...record, confState: emptyConfState, membership: nobody };
  if (!isOfDatabase && hasFile) return { ...file.metadata, membership: decodeV2Store(file.data) };
  if (!isOfDatabase) {
    logger.warn('the snapshot file is missing; taking the members from the database', {
      'snapshot-index': record.index,
    });
  }
  if (hasFile) return { ...file.metadata, membership: undefined };
  if (record.index === 0 || record.confState !== undefined) {
    return { ...record, confState: record.confState ?? emptyConfState, membership: undefined };
  }
  // A record of 3.4 without its file: what is older must do, if the log still goes back so far.
  return file === undefined
    ? { ...zeroSnapshot, confState: emptyConfState, membership: undefined }
    : { ...file.metadata, membership: undefined };
}

/**
 * Brings the member list to the database's index, and says which configuration raft has there. Entries up to that index are never judged
 * again (docs/decisions/0007).
 * @param entries those behind the start.
 */
export function membershipAtDatabase(
  start: StartPoint,
  entries: readonly Entry[],
  deps: { readonly backend: Backend; readonly cluster: Cluster; readonly learnersMax: number },
): ConfState {
  const { backend, cluster, learnersMax } = deps;
  const applied = entries.filter((entry) => entry.index <= backend.consistentIndex);
  if (start.membership !== undefined) {
    const { state, confState } = replayMembership(
      { state: start.membership, confState: start.confState },
      applied,
      learnersMax,
    );
    takeMembership(cluster, state);
    return confState;
  }
  const isChanged = applied.some((entry) => entry.type !== EntryType.Normal);
  return start.index > 0 && !isChanged ? start.confState : storedConfState(backend, cluster);
}

/**
 * The configuration that the database has. It is not rewritten when a directory is restored from a backup, which replaces the members: then,
 * and where there is none, the members say who votes.
 */
function storedConfState(backend: Backend, cluster: Cluster): ConfState {
  const { members } = cluster;
  const bytes = backend.get(BucketId.meta, latin1ToBytes(MetaKey.confState));
  const stored = bytes === undefined ? emptyConfState : decodeConfStateJson(bytes);
  const ids = [...stored.voters, ...stored.learners].sort(compareIds);
  if (ids.length === members.length && ids.every((id, i) => id === members[i]?.id)) return stored;
  const idsOf = (isLearner: boolean) =>
    members.filter((member) => member.isLearner === isLearner).map((member) => member.id);
  return { ...emptyConfState, voters: idsOf(false), learners: idsOf(true) };
}
