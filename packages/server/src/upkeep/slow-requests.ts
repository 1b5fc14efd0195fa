import { etcdserverpb } from '@quorate/api';
import { type Counter, type Logger, latin1FromBytes, type Metrics } from '@quorate/base';
import type { UnaryStats } from '@quorate/transport';
import { formatDuration } from '../config/duration.ts';
import { formatTime } from '../peer/protocol/rfc3339.ts';

export interface SlowRequestsOptions {
  /** An entry that takes longer to apply, or a range longer to answer, is told of. */
  readonly warningApplyMs: number;
  /** A call that takes longer is told of. */
  readonly warningUnaryMs: number;
}

const rangePath = '/etcdserverpb.KV/Range';
const shownKeyBytesMax = 256;

/** Warnings of what took too long, in etcd's words. Values never come into the log. */
export class SlowRequests {
  private readonly logger: Logger;
  private readonly options: SlowRequestsOptions;
  private readonly slowApplies: Counter;
  /** Time of an answer from which on {@link answered} has something to say. */
  readonly answerMs: number;

  constructor(deps: { readonly logger: Logger; readonly metrics: Metrics }, options: SlowRequestsOptions) {
    this.logger = deps.logger;
    this.options = options;
    this.slowApplies = deps.metrics.counter('etcd_server_slow_apply_total', 'The total number of slow apply requests.');
    this.answerMs = Math.min(options.warningApplyMs, options.warningUnaryMs);
  }

  /** An entry has been applied. */
  applied(data: Uint8Array, tookMs: number): void {
    if (tookMs > this.options.warningApplyMs) this.warnOfApply(tookMs, '', describeEntry(data));
  }

  /** A call has been answered. */
  answered({ path, address, startedWallMs, tookMs, requestBytes, responseBytes }: UnaryStats): void {
    if (path === rangePath && tookMs > this.options.warningApplyMs) this.warnOfApply(tookMs, 'read-only range ', path);
    if (tookMs <= this.options.warningUnaryMs) return;
    this.logger.warn('request stats', {
      'start time': formatTime(startedWallMs),
      'time spent': shown(tookMs),
      remote: address,
      'response type': path,
      'request size': requestBytes,
      'response size': responseBytes,
    });
  }

  private warnOfApply(tookMs: number, prefix: string, request: string): void {
    this.slowApplies.add(1);
    this.logger.warn('apply request took too long', {
      took: shown(tookMs),
      'expected-duration': formatDuration(this.options.warningApplyMs),
      prefix,
      request,
    });
  }
}

function shown(ms: number): string {
  return formatDuration(Math.round(ms * 1000) / 1000);
}

/** Which request an entry holds, with keys and sizes. */
function describeEntry(data: Uint8Array): string {
  const { put, deleteRange, txn, ...others } = etcdserverpb.InternalRaftRequest.decode(data);
  if (put !== undefined) return `put:<key:${text(put.key)} value_size:${put.value.length} >`;
  if (deleteRange !== undefined) {
    return `delete_range:<key:${text(deleteRange.key)} range_end:${text(deleteRange.rangeEnd)} >`;
  }
  if (txn !== undefined) {
    return `txn:<compares:${txn.compare.length} success:${txn.success.length} failure:${txn.failure.length} >`;
  }
  const found = Object.entries(others).find(([name, field]) => name !== 'header' && typeof field === 'object');
  return `${found?.[0] ?? 'unknown'} of ${data.length} bytes`;
}

function text(key: Uint8Array): string {
  return JSON.stringify(latin1FromBytes(key, 0, Math.min(key.length, shownKeyBytesMax)));
}
