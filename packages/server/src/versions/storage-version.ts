import { type Clock, type Logger, latin1FromBytes, latin1ToBytes, type Timer, utf8ToBytes } from '@quorate/base';
import { type Cluster, compareVersions } from '@quorate/machine';
import { type Backend, BucketId, MetaKey } from '@quorate/storage';
import { etcdVersion } from '../version.ts';

type MetaBackend = Pick<Backend, 'get' | 'put' | 'delete' | 'consistentIndex' | 'consistentTerm'>;

const firstWithKey = '3.6.0';
/** The oldest form of a database that later releases tell apart: by the term beside its index. */
const oldestVersion = '3.5.0';
/** Of a cluster some of whose members have not told theirs: says nothing. */
const placeholderVersion = '3.0.0';
const everyMs = 4_000;

const key = () => latin1ToBytes(MetaKey.storageVersion);

/** Which release's form the database has; undefined while nothing says so. */
export function storageVersionOf(backend: Pick<MetaBackend, 'get' | 'consistentTerm'>): string | undefined {
  const bytes = backend.get(BucketId.meta, key());
  if (bytes !== undefined) return latin1FromBytes(bytes);
  return backend.consistentTerm > 0 ? oldestVersion : undefined;
}

export interface StorageVersionDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The backend now: a received snapshot brings another. */
  readonly backend: () => MetaBackend;
  readonly cluster: Pick<Cluster, 'version' | 'downgrade'>;
  readonly appliedIndex: () => number;
  /** Index of the newest snapshot on disk. */
  readonly snapshotIndex: () => number;
  /** Makes one as soon as may be. */
  readonly forceSnapshot: () => void;
}

/**
 * Lets the form of the database follow the cluster's version, so that the releases that run with the cluster can open the directory. 3.6 and
 * 3.7 differ in the text alone; up to 3.5 there is none.
 *
 * To go down, the log that an older release would read must hold nothing that it does not know: everything that was written under the
 * higher version must be behind a snapshot first.
 */
export class StorageVersion {
  private readonly deps: StorageVersionDeps;
  private timer: Timer | undefined;
  private isStopped = false;
  /** The snapshot to wait for on the way down. */
  private lowersAt: number | undefined;

  constructor(deps: StorageVersionDeps) {
    this.deps = deps;
  }

  start(): void {
    this.update();
    this.updateLater();
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  private updateLater(): void {
    if (this.isStopped) return;
    this.timer = this.deps.clock.setTimer(everyMs, () => {
      this.update();
      this.updateLater();
    });
  }

  /** Also called when an entry has set the cluster's version, in the turn that applied it. */
  update(): void {
    const target = this.deps.cluster.version;
    if (target === undefined || target === placeholderVersion) return;
    const current = storageVersionOf(this.deps.backend());
    if (current === target) this.lowersAt = undefined;
    else if (compareVersions(target, current ?? oldestVersion) >= 0) this.set(target);
    else this.lower(target);
  }

  private lower(target: string): void {
    const { appliedIndex, snapshotIndex, forceSnapshot } = this.deps;
    const backend = this.deps.backend();
    if (backend.get(BucketId.meta, key()) === undefined) return;
    if (this.lowersAt === undefined) {
      this.lowersAt = Math.max(appliedIndex(), backend.consistentIndex);
      forceSnapshot();
    }
    if (snapshotIndex() < this.lowersAt) return;
    this.lowersAt = undefined;
    this.set(target);
  }

  private set(target: string): void {
    const { cluster, logger } = this.deps;
    const backend = this.deps.backend();
    const current = storageVersionOf(backend);
    if (compareVersions(target, firstWithKey) >= 0) backend.put(BucketId.meta, key(), utf8ToBytes(target));
    else if (backend.get(BucketId.meta, key()) !== undefined) backend.delete(BucketId.meta, key());
    else return;
    logger.info('cluster version differs from storage version.', {
      'cluster-version': target,
      'storage-version': current ?? oldestVersion,
    });
    logger.info('updated storage version', { 'new-storage-version': target });
    const { isEnabled, targetVersion } = cluster.downgrade;
    if (!isEnabled) return;
    logger.info('The server is ready to downgrade', {
      'target-version': targetVersion,
      'server-version': etcdVersion,
    });
  }
}
