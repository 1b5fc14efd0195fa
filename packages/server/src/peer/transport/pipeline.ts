import type { Message } from '@quorate/raft';
import { encodeMessage } from '../codec/message-codec.ts';
import type { PeerExchange, PeerReply } from '../peer-edge.ts';
import { errorText, reasonOf } from '../protocol/answers.ts';
import { raftRequestHeaders } from '../protocol/headers.ts';
import type { Activity } from './activity.ts';
import type { PeerContext } from './peer-context.ts';
import type { UrlPicker } from './url-picker.ts';

/** Posts messages one by one, a few at a time: when no stream stands, and to those who have none. */
export class Pipeline {
  private readonly context: PeerContext;
  private readonly id: bigint;
  private readonly activity: Activity;
  private readonly picker: UrlPicker;
  private readonly waiting: Message[] = [];
  private readonly underWay = new Set<PeerExchange>();
  private isStopped = false;

  constructor(context: PeerContext, id: bigint, activity: Activity, picker: UrlPicker) {
    this.context = context;
    this.id = id;
    this.activity = activity;
    this.picker = picker;
  }

  /** False when there is no room for it. */
  offer(message: Message): boolean {
    const { pipelineQueueMax, pipelineWorkers } = this.context.limits;
    if (this.underWay.size < pipelineWorkers) {
      this.post(message);
      return true;
    }
    if (this.waiting.length >= pipelineQueueMax) return false;
    this.waiting.push(message);
    return true;
  }

  stop(): void {
    this.isStopped = true;
    this.waiting.length = 0;
    for (const exchange of this.underWay) exchange.cancel();
    this.underWay.clear();
  }

  private post(message: Message): void {
    const { dialer, local } = this.context;
    const url = this.picker.pick();
    const body = encodeMessage(message);
    const headers = { ...raftRequestHeaders(local), 'Content-Type': 'application/protobuf' };
    const exchange = dialer.request({ method: 'POST', url, path: '/raft', headers, body });
    this.underWay.add(exchange);
    exchange.reply.then(
      (reply) => this.ended(exchange, url, body.length, refusalOf(this.context, this.id, reply)),
      (error: unknown) => this.ended(exchange, url, body.length, reasonOf(error)),
    );
  }

  private ended(exchange: PeerExchange, url: string, bytes: number, failure: string | undefined): void {
    if (this.isStopped) return;
    this.underWay.delete(exchange);
    const { metrics, reports } = this.context;
    if (failure === undefined) {
      this.activity.activate();
      metrics.sentBytes(this.id).add(bytes);
    } else {
      this.picker.failed(url);
      this.activity.deactivate('write', 'pipeline', failure);
      metrics.sentFailures(this.id).add(1);
      reports.reportUnreachable(this.id);
    }
    const next = this.waiting.shift();
    if (next !== undefined) this.post(next);
  }
}

/** Why a post was not taken; undefined when it was. Tells the member when it hears that it is removed. */
export function refusalOf(context: PeerContext, id: bigint, reply: PeerReply): string | undefined {
  const text = errorText(reply.body);
  switch (reply.status) {
    case 204:
      return undefined;
    case 403:
      context.toldRemoved();
      return 'the member has been permanently removed from the cluster';
    case 412:
      context.warnings.warn(`${id} ${text}`, 'request sent was ignored by peer', { 'remote-peer-id': id, error: text });
      return text;
    default:
      return `unexpected http status ${reply.status}: ${text}`;
  }
}
