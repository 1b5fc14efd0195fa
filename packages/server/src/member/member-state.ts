import {
  AlarmStore,
  type AuthStore,
  type Cluster,
  compareVersions,
  Lessor,
  leaseTtlSecondsMin,
  type MvccStore,
  openStore,
} from '@quorate/machine';
import { type Backend, openBackend } from '@quorate/storage';
import type { MemberStorage } from '../bootstrap/open-storage.ts';
import type { MemberConfig } from '../config/config.ts';
import { formatDuration } from '../config/duration.ts';
import { openAuth } from './member-auth.ts';
import type { MemberDeps } from './member-deps.ts';

/** From this cluster version on all members store checkpoints of leases. */
const persistingVersion = '3.6.0';
/** How long readers of a database that was exchanged may go on before its file is closed; as long as a compaction waits for them. */
const oldReadersMs = 10_000;

/** What {@link MemberState.prepare} made and {@link MemberState.adopt} takes. */
export interface PreparedState {
  readonly backend: Backend;
  readonly store: MvccStore;
}

/**
 * All that entries change, standing on one database. A leader's snapshot brings another database: it is opened and read beside the
 * old one, and then takes its place in one synchronous stretch. Cluster, lessor, alarms and auth stay the objects they are; backend and
 * store are others from then on, so ask for them anew each time.
 */
export class MemberState {
  readonly cluster: Cluster;
  readonly lessor: Lessor;
  readonly alarms: AlarmStore;
  readonly auth: AuthStore;
  private readonly deps: MemberDeps;
  private readonly config: MemberConfig;
  private current: PreparedState;
  /** Databases whose last readers may still be at work, with what closes them. */
  private readonly old = new Map<Backend, { cancel(): void }>();

  private constructor(
    deps: MemberDeps,
    config: MemberConfig,
    cluster: Cluster,
    lessor: Lessor,
    current: PreparedState,
  ) {
    this.deps = deps;
    this.config = config;
    this.cluster = cluster;
    this.lessor = lessor;
    this.current = current;
    this.alarms = new AlarmStore(current.backend);
    this.auth = openAuth(deps, cluster, lessor, current.backend);
  }

  /** Restores leases, then keys, of an open database. */
  static async open(deps: MemberDeps, config: MemberConfig, storage: MemberStorage): Promise<MemberState> {
    const { backend, cluster } = storage;
    const electionTicks = Math.floor(config.electionMs / config.heartbeatMs);
    const lessor = new Lessor(
      { backend, logger: deps.logger, metrics: deps.metrics },
      {
        ttlSecondsMin: leaseTtlSecondsMin(electionTicks, config.heartbeatMs),
        persistsCheckpoints: () =>
          config.featureGates.get('LeaseCheckpointPersist') === true ||
          compareVersions(cluster.version ?? '0.0.0', persistingVersion) >= 0,
      },
    );
    const store = await openStoreOver(deps, config, backend, lessor);
    return new MemberState(deps, config, cluster, lessor, { backend, store });
  }

  get backend(): Backend {
    return this.current.backend;
  }

  get store(): MvccStore {
    return this.current.store;
  }

  /** Opens the database of a snapshot and restores leases and keys from it. Nothing may be applied until {@link adopt}. */
  async prepare(path: string): Promise<PreparedState> {
    const { deps, config } = this;
    const backend = await openDatabase(deps, config, path);
    // Leases come before the keys, which attach themselves to them.
    this.lessor.restore(backend);
    return { backend, store: await openStoreOver(deps, config, backend, this.lessor) };
  }

  /** Goes on with the prepared database. Reads that are under way end on the old one. */
  adopt(next: PreparedState): void {
    const { backend, store } = this.current;
    this.current = next;
    this.cluster.restore(next.backend);
    this.alarms.restore(next.backend);
    this.auth.restore(next.backend);
    store.setSink(undefined);
    store.close();
    // What is not committed there is gone with the file, which has no name any more.
    backend.abandon();
    this.old.set(
      backend,
      this.deps.clock.setTimer(oldReadersMs, () => this.closeOld(backend)),
    );
  }

  private closeOld(backend: Backend): void {
    this.old.delete(backend);
    backend.close().catch((error: unknown) => {
      this.deps.logger.warn('failed to close the database before a snapshot', { error: String(error) });
    });
  }

  /** Stops background work; the current backend stays open. */
  close(): void {
    this.store.close();
    for (const [backend, timer] of this.old) {
      timer.cancel();
      this.closeOld(backend);
    }
  }
}

async function openStoreOver(
  deps: MemberDeps,
  config: MemberConfig,
  backend: Backend,
  leases: Lessor,
): Promise<MvccStore> {
  const store = await openStore(
    { backend, clock: deps.clock, random: deps.random, logger: deps.logger, metrics: deps.metrics, leases },
    { compactionBatch: config.compactionBatchLimit, compactionPauseMs: config.compactionSleepMs },
  );
  deps.logger.info('kvstore restored', { 'current-rev': store.currentRevision });
  return store;
}

/** Opens the store's file with the settings of this member. */
export async function openDatabase(deps: MemberDeps, config: MemberConfig, path: string): Promise<Backend> {
  const sinceMs = deps.clock.nowMs();
  const backend = await openBackend(deps, path, {
    batchIntervalMs: config.backendBatchIntervalMs,
    batchLimit: config.backendBatchLimit,
    onFatal: deps.onFatal,
  });
  deps.logger.info('opened backend db', { path, took: formatDuration(deps.clock.nowMs() - sinceMs) });
  return backend;
}
