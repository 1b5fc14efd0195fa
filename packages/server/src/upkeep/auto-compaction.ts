import { errors, etcdserverpb } from '@quorate/api';
import type { Clock, Logger } from '@quorate/base';
import type { CompactionPolicy } from '../config/compaction-policy.ts';
import { formatDuration } from '../config/duration.ts';
import { type Proposals, proposeRequest, RequestField } from '../rpc/proposals.ts';
import { compactAttributes, type RequestSpans } from '../rpc/request-spans.ts';
import { Repeat } from './repeat.ts';

export interface AutoCompactionDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly proposals: Proposals;
  readonly isLeader: () => boolean;
  readonly spans?: RequestSpans | undefined;
  /** Of the store. */
  readonly revision: () => number;
}

/** Compacts from time to time while this member leads. */
export interface AutoCompaction {
  start(): void;
  stop(): void;
}

export function makeAutoCompaction(deps: AutoCompactionDeps, policy: CompactionPolicy): AutoCompaction {
  return policy.mode === 'periodic'
    ? new PeriodicCompaction(deps, policy.retentionMs)
    : new RevisionCompaction(deps, policy.retention);
}

const intervalMsMax = 3_600_000;
const samplesPerInterval = 10;
const revisionCheckMs = 5 * 60_000;

/**
 * Forgets what is older than the retention and, as in etcd, one sample. The revision is noted ten times in each interval (the retention, at
 * most an hour), on every member, so that a new leader knows at once how far to go back. The first compaction comes after one full retention,
 * the others an interval apart; one that failed is tried again at the next sample.
 */
class PeriodicCompaction implements AutoCompaction {
  private readonly deps: AutoCompactionDeps;
  private readonly retentionMs: number;
  private readonly intervalMs: number;
  private readonly sampleMs: number;
  private readonly sampling: Repeat;
  /** The oldest is of more than a retention ago, once there are enough. */
  private readonly revisions: number[] = [];
  private readonly revisionsMax: number;
  private lastRevision = 0;
  private lastSuccessMs = 0;
  /** Until the next compaction after the last one that succeeded, or after the start. */
  private pauseMs: number;

  constructor(deps: AutoCompactionDeps, retentionMs: number) {
    this.deps = deps;
    this.retentionMs = retentionMs;
    this.intervalMs = Math.min(retentionMs, intervalMsMax);
    this.sampleMs = this.intervalMs / samplesPerInterval;
    this.revisionsMax = Math.floor(retentionMs / this.sampleMs) + 1;
    this.pauseMs = retentionMs;
    this.sampling = new Repeat(deps.clock, this.sampleMs, async () => {
      await this.compactWhenDue();
      this.sample();
    });
  }

  start(): void {
    this.lastSuccessMs = this.deps.clock.nowMs();
    this.sample();
    this.sampling.start();
  }

  stop(): void {
    this.sampling.stop();
  }

  private sample(): void {
    this.revisions.push(this.deps.revision());
    if (this.revisions.length > this.revisionsMax) this.revisions.shift();
  }

  private async compactWhenDue(): Promise<void> {
    const { clock, isLeader } = this.deps;
    const revision = this.revisions[0] as number;
    if (!isLeader() || revision === this.lastRevision || clock.nowMs() - this.lastSuccessMs < this.pauseMs) return;
    this.pauseMs = this.intervalMs;
    const settings = { 'compact-period': formatDuration(this.retentionMs) };
    if (!(await compact(this.deps, 'periodic', revision, settings, this.sampleMs))) return;
    this.lastRevision = revision;
    this.lastSuccessMs = clock.nowMs();
  }
}

/** Keeps so many revisions: looks every five minutes. */
class RevisionCompaction implements AutoCompaction {
  private readonly deps: AutoCompactionDeps;
  private readonly retention: number;
  private readonly looking: Repeat;
  private lastRevision = 0;

  constructor(deps: AutoCompactionDeps, retention: number) {
    this.deps = deps;
    this.retention = retention;
    this.looking = new Repeat(deps.clock, revisionCheckMs, () => this.compactWhenDue());
  }

  start(): void {
    this.looking.start();
  }

  stop(): void {
    this.looking.stop();
  }

  private async compactWhenDue(): Promise<void> {
    const revision = this.deps.revision() - this.retention;
    if (!this.deps.isLeader() || revision <= 0 || revision === this.lastRevision) return;
    const settings = { 'revision-compaction-retention': this.retention };
    if (await compact(this.deps, 'revision', revision, settings, revisionCheckMs)) this.lastRevision = revision;
  }
}

/** Proposes a compaction and says so in the log; false when it failed. A revision that is compacted already is as good. */
async function compact(
  { proposals, logger, clock, spans }: AutoCompactionDeps,
  mode: 'periodic' | 'revision',
  revision: number,
  settings: Readonly<Record<string, string | number>>,
  retryMs: number,
): Promise<boolean> {
  const fields = { revision, ...settings };
  logger.info(`starting auto ${mode} compaction`, fields);
  const startedMs = clock.nowMs();
  const request = etcdserverpb.CompactionRequest.create({ revision });
  const bytes = etcdserverpb.CompactionRequest.encode(request);
  const span = spans?.begin(undefined, 'compact', request, compactAttributes);
  const refused = await proposeRequest(proposals, RequestField.compaction, bytes);
  span?.end();
  if (refused === undefined || refused === 'ErrGRPCCompacted') {
    logger.info(`completed auto ${mode} compaction`, { ...fields, took: formatDuration(clock.nowMs() - startedMs) });
    return true;
  }
  const failure = { ...fields, 'retry-interval': formatDuration(retryMs), error: errors[refused].message };
  logger.warn(`failed auto ${mode} compaction`, failure);
  return false;
}
