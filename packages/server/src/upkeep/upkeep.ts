import { errors, etcdserverpb } from '@quorate/api';
import { type Clock, CodedError, type Logger } from '@quorate/base';
import { type AlarmStore, type Cluster, hashKeys, type MvccStore, memberIdText, type Quota } from '@quorate/machine';
import type { MemberConfig } from '../config/config.ts';
import { formatDuration } from '../config/duration.ts';
import type { PeerClient } from '../peer/peer-client.ts';
import type { LinearizableReads } from '../rpc/member-context.ts';
import { type Proposals, proposeRequest, RequestField } from '../rpc/proposals.ts';
import type { RequestSpans } from '../rpc/request-spans.ts';
import { encodeAlarm } from './alarm-request.ts';
import { type AutoCompaction, makeAutoCompaction } from './auto-compaction.ts';
import { CorruptionCheck } from './corruption-check.ts';
import { relieveNoSpace } from './no-space-relief.ts';
import { askPeerHashes } from './peer-hashes.ts';
import { Repeat } from './repeat.ts';

export interface UpkeepDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly cluster: Pick<Cluster, 'members'>;
  readonly peerClient: Pick<PeerClient, 'hashKeys'>;
  readonly replica: Proposals & Pick<LinearizableReads, 'linearizableRead'> & { readonly isLeader: boolean };
  readonly alarms: AlarmStore;
  readonly quota: Quota;
  readonly spans?: RequestSpans | undefined;
  /** The store now: a leader's snapshot brings another. */
  readonly store: () => MvccStore;
}

export interface UpkeepOptions
  extends Pick<
    MemberConfig,
    'autoCompaction' | 'corruptCheckMs' | 'compactHashCheckMs' | 'autoDisarmNoSpace' | 'featureGates'
  > {
  readonly requestTimeoutMs: number;
}

/** How often a member looks whether its database has room again. */
const reliefCheckMs = 5_000;

/** What a member does by itself so that the cluster stays fit: compacts, compares data with the others, lowers its alarm. */
export class Upkeep {
  private readonly deps: UpkeepDeps;
  private readonly options: UpkeepOptions;
  private readonly check: CorruptionCheck;
  private readonly works: (AutoCompaction | Repeat)[];
  private isStopped = false;

  constructor(deps: UpkeepDeps, options: UpkeepOptions) {
    this.deps = deps;
    this.options = options;
    this.check = this.makeCheck();
    this.works = this.makeWorks();
  }

  /** Before a member that has data serves anybody, where that is asked for. @throws CodedError `member/inconsistent` */
  async checkInitially(): Promise<void> {
    const { deps, options } = this;
    if (options.featureGates.get('InitialCorruptCheck') !== true || deps.store().backend.consistentIndex === 0) return;
    try {
      await this.check.initially();
    } catch (error) {
      deps.logger.error('checkInitialHashKV failed', { error: error instanceof Error ? error.message : String(error) });
      throw error;
    }
  }

  start(): void {
    const { corruptCheckMs } = this.options;
    if (corruptCheckMs > 0) {
      const fields = { 'local-member-id': memberIdText(this.deps.memberId), interval: formatDuration(corruptCheckMs) };
      this.deps.logger.info('enabled corruption checking', fields);
    }
    for (const work of this.works) work.start();
  }

  stop(): void {
    this.isStopped = true;
    for (const work of this.works) work.stop();
  }

  private makeWorks(): (AutoCompaction | Repeat)[] {
    const { deps, options, check } = this;
    const { clock, replica, store } = deps;
    const { autoCompaction, corruptCheckMs, compactHashCheckMs, autoDisarmNoSpace, featureGates } = options;
    const works: (AutoCompaction | Repeat)[] = [];
    const every = (ms: number, action: () => Promise<void>) => works.push(new Repeat(clock, ms, action));
    if (autoCompaction !== undefined) {
      const revision = () => store().currentRevision;
      const compactionDeps = { ...deps, proposals: replica, isLeader: () => replica.isLeader, revision };
      works.push(makeAutoCompaction(compactionDeps, autoCompaction));
    }
    if (corruptCheckMs > 0) every(corruptCheckMs, () => this.asLeader(() => check.periodically()));
    if (featureGates.get('CompactHashCheck') === true) {
      every(compactHashCheckMs, () => this.asLeader(() => check.compactions()));
    }
    if (autoDisarmNoSpace) every(reliefCheckMs, () => relieveNoSpace({ ...deps, proposals: replica }));
    return works;
  }

  private async asLeader(check: () => Promise<void>): Promise<void> {
    const { replica, logger } = this.deps;
    if (!replica.isLeader) return;
    await check().catch((error: unknown) => {
      if (!this.isStopped) logger.warn('failed to check hash KV', { error: String(error) });
    });
  }

  private makeCheck(): CorruptionCheck {
    const { deps, options } = this;
    const { requestTimeoutMs } = options;
    return new CorruptionCheck({
      ...deps,
      requestTimeoutMs,
      hash: (revision) => hashKeys(deps.store(), revision),
      compactionHashes: () => deps.store().compactionHashes.list(),
      askPeers: (revision) => askPeerHashes(deps, revision, requestTimeoutMs),
      catchUp: () =>
        new Promise((resolve, reject) => {
          const failed = (symbol: string) => reject(new CodedError('member/no-read', symbol));
          deps.replica.linearizableRead({ readable: resolve, failed });
        }),
      raise: (id) => this.raiseCorrupt(id),
    });
  }

  private raiseCorrupt(id: bigint): void {
    const { CORRUPT } = etcdserverpb.AlarmType;
    const { alarms, replica, logger } = this.deps;
    if (this.isStopped || alarms.list(CORRUPT).some(({ memberId }) => memberId === id)) return;
    proposeRequest(replica, RequestField.alarm, encodeAlarm(id, CORRUPT, true)).then((refused) => {
      if (refused === undefined) return;
      logger.error('failed to raise alarm CORRUPT', { error: errors[refused].message });
    });
  }
}
