import type { Message } from '@quorate/raft';
import { encodeSizedMessage } from '../codec/message-stream-codec.ts';
import type { PeerExchange } from '../peer-edge.ts';
import type { OutgoingSnapshot } from '../peer-source.ts';
import { reasonOf } from '../protocol/answers.ts';
import { raftRequestHeaders } from '../protocol/headers.ts';
import type { Activity } from './activity.ts';
import type { PeerContext } from './peer-context.ts';
import { refusalOf } from './pipeline.ts';
import type { UrlPicker } from './url-picker.ts';

/** Sends a snapshot, the message and the database behind it, in one request (peer protocol, section 4). One at a time. */
export class SnapshotSender {
  private readonly context: PeerContext;
  private readonly id: bigint;
  private readonly activity: Activity;
  private readonly picker: UrlPicker;
  private isBusy = false;
  private exchange: PeerExchange | undefined;
  private isStopped = false;

  constructor(context: PeerContext, id: bigint, activity: Activity, picker: UrlPicker) {
    this.context = context;
    this.id = id;
    this.activity = activity;
    this.picker = picker;
  }

  /** How it went is told to the source. False when another is under way. */
  offer(message: Message): boolean {
    if (this.isBusy) return false;
    this.isBusy = true;
    void this.send(message).then((failure) => {
      this.isBusy = false;
      if (!this.isStopped) this.report(failure);
    });
    return true;
  }

  stop(): void {
    this.isStopped = true;
    this.exchange?.cancel();
  }

  private report(failure: string | undefined): void {
    const { reports } = this.context;
    if (failure === undefined) {
      this.activity.activate();
      reports.reportSnapshot(this.id, 'finished');
      return;
    }
    reports.reportUnreachable(this.id);
    reports.reportSnapshot(this.id, 'failed');
  }

  /** What went wrong; undefined when the peer has it. */
  private async send(message: Message): Promise<string | undefined> {
    const { clock, logger, metrics, source } = this.context;
    const cells = metrics.snapshotSend(this.id);
    const startedMs = clock.nowMs();
    cells.inflight.add(1);
    const fields: Record<string, unknown> = { 'remote-peer-id': this.id };
    try {
      const snapshot = await source.openSnapshot(message);
      fields['snapshot-index'] = snapshot.message.snapshot?.metadata.index;
      fields.bytes = snapshot.sizeBytes;
      try {
        if (this.isStopped) return 'stopped';
        logger.info('sending database snapshot', fields);
        await this.upload(snapshot);
      } finally {
        snapshot.close();
      }
      logger.info('sent database snapshot', fields);
      cells.successes.add(1);
      cells.seconds.observe((clock.nowMs() - startedMs) / 1000);
      return undefined;
    } catch (error) {
      const reason = reasonOf(error);
      if (this.isStopped) return reason;
      logger.warn('failed to send database snapshot', { ...fields, error: reason });
      cells.failures.add(1);
      metrics.sentFailures(this.id).add(1);
      return reason;
    } finally {
      cells.inflight.add(-1);
    }
  }

  private async upload(snapshot: OutgoingSnapshot): Promise<void> {
    const { dialer, local, metrics } = this.context;
    const url = this.picker.pick();
    const headers = { ...raftRequestHeaders(local), 'Content-Type': 'application/octet-stream' };
    const head = encodeSizedMessage(snapshot.message);
    const request = { method: 'POST', url, path: '/raft/snapshot', headers } as const;
    this.exchange = dialer.upload(request, bodyOf(head, snapshot));
    try {
      const refusal = refusalOf(this.context, this.id, await this.exchange.reply);
      if (refusal !== undefined) throw new Error(refusal);
    } catch (error) {
      this.picker.failed(url);
      if (!this.isStopped) this.activity.deactivate('post', 'snapshot', reasonOf(error));
      throw error;
    }
    metrics.sentBytes(this.id).add(head.length + snapshot.sizeBytes);
  }
}

async function* bodyOf(head: Uint8Array, snapshot: OutgoingSnapshot): AsyncIterable<Uint8Array> {
  yield head;
  yield* snapshot.chunks();
}
