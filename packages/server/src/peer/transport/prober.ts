import type { Timer } from '@quorate/base';
import type { PeerExchange, PeerReply } from '../peer-edge.ts';
import { reasonOf } from '../protocol/answers.ts';
import { parseProbeJson } from '../protocol/documents.ts';
import type { PeerContext } from './peer-context.ts';
import { UrlPicker } from './url-picker.ts';

/** Weight of the newest round trip in the smoothed one. */
const newestWeight = 0.125;
const driftMaxMs = 1000;

/** etcd probes with each kind of connection it has, and calls them so. */
export type ProberKind = 'ROUND_TRIPPER_RAFT_MESSAGE' | 'ROUND_TRIPPER_SNAPSHOT';

/** Asks a peer now and then whether it lives: for logs and metrics alone. */
export class Prober {
  private readonly context: PeerContext;
  private readonly id: bigint;
  private readonly kind: ProberKind;
  private readonly picker: UrlPicker;
  private exchange: PeerExchange | undefined;
  private probeTimer: Timer | undefined;
  private reportTimer: Timer | undefined;
  private smoothedMs = 0;
  private driftMs = 0;
  /** Empty while the probes are answered. */
  private failure = '';

  constructor(context: PeerContext, id: bigint, kind: ProberKind, urls: readonly string[]) {
    this.context = context;
    this.id = id;
    this.kind = kind;
    this.picker = new UrlPicker(urls);
  }

  start(): void {
    const { clock, limits } = this.context;
    this.probeTimer = clock.setTimer(limits.probeMs, () => this.probe());
    this.reportTimer = clock.setTimer(limits.probeUnhealthyReportMs, () => this.report());
  }

  stop(): void {
    this.probeTimer?.cancel();
    this.reportTimer?.cancel();
    const { exchange } = this;
    this.exchange = undefined;
    exchange?.cancel();
  }

  private probe(): void {
    const { clock, dialer, limits } = this.context;
    this.probeTimer = clock.setTimer(limits.probeMs, () => this.probe());
    // One that still waits has failed; its end must not be taken for that of the next.
    if (this.exchange !== undefined) this.failed(this.exchange, 'timeout');
    const url = this.picker.pick();
    const startedMs = clock.nowMs();
    const request = { method: 'GET', url, path: '/raft/probing', headers: {} } as const;
    const exchange = dialer.request(request, this.kind === 'ROUND_TRIPPER_RAFT_MESSAGE');
    this.exchange = exchange;
    exchange.reply.then(
      (reply) => this.answered(exchange, reply, clock.nowMs() - startedMs),
      (error: unknown) => this.failed(exchange, reasonOf(error)),
    );
  }

  private answered(exchange: PeerExchange, reply: PeerReply, roundTripMs: number): void {
    if (exchange !== this.exchange) return;
    try {
      const { isOk, wallMs } = parseProbeJson(reply.body);
      if (!isOk) throw new Error(`not OK, status ${reply.status}`);
      this.smoothedMs = (1 - newestWeight) * this.smoothedMs + newestWeight * roundTripMs;
      if (wallMs !== undefined) this.driftMs = this.context.clock.wallMs() - wallMs - this.smoothedMs / 2;
      this.failure = '';
      this.exchange = undefined;
    } catch (error) {
      this.failed(exchange, reasonOf(error));
    }
  }

  private failed(exchange: PeerExchange, reason: string): void {
    if (exchange !== this.exchange) return;
    this.exchange = undefined;
    this.failure = reason;
    this.picker.failed(this.picker.pick());
    exchange.cancel();
  }

  private report(): void {
    const { clock, limits, logger, metrics } = this.context;
    const isHealthy = this.failure === '';
    const delayMs = isHealthy ? limits.probeHealthyReportMs : limits.probeUnhealthyReportMs;
    this.reportTimer = clock.setTimer(delayMs, () => this.report());
    const fields = {
      'round-tripper-name': this.kind,
      'remote-peer-id': this.id,
      rtt: `${this.smoothedMs.toFixed(3)}ms`,
    };
    if (!isHealthy) logger.warn('prober detected unhealthy status', { ...fields, error: this.failure });
    if (Math.abs(this.driftMs) > driftMaxMs) {
      logger.warn('prober found high clock drift', {
        ...fields,
        'clock-drift': `${(this.driftMs / 1000).toFixed(3)}s`,
      });
    }
    metrics.roundTripSeconds(this.id).observe(this.smoothedMs / 1000);
  }
}
