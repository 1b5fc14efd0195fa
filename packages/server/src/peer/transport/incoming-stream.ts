import { type Counter, concatBytes, hasCode, type Timer } from '@quorate/base';
import type { Message } from '@quorate/raft';
import type { StreamDecoder } from '../codec/stream-codec.ts';
import { errorText, reasonOf } from '../protocol/answers.ts';
import { idText, PeerHeader, type ReadHeader, raftRequestHeaders, speaksStreams } from '../protocol/headers.ts';
import type { Activity } from './activity.ts';
import type { PeerContext } from './peer-context.ts';
import { newDecoder, type StreamKind, streamName } from './stream-kind.ts';
import type { UrlPicker } from './url-picker.ts';

/** Of the text of a refusal. */
const refusalBytesMax = 4096;

type State =
  | { readonly name: 'idle' | 'stopped' }
  /** Between two attempts. */
  | { readonly name: 'pausing'; readonly timer: Timer }
  /** Asked; no answer yet. */
  | { readonly name: 'dialing'; readonly url: string }
  /** Answered with a refusal, whose text is coming in. */
  | { readonly name: 'refused'; readonly url: string; readonly status: number; text: Uint8Array }
  | { readonly name: 'reading'; readonly decoder: StreamDecoder };

/** The reading end of a stream: opens it at the peer, and again whenever it ends. */
export class IncomingStream {
  private readonly context: PeerContext;
  private readonly id: bigint;
  private readonly kind: StreamKind;
  private readonly activity: Activity;
  private readonly picker: UrlPicker;
  private readonly onMessage: (message: Message) => void;
  private state: State = { name: 'idle' };
  private call: { cancel(): void } | undefined;
  private receivedBytes: Counter | undefined;
  private stallTimer: Timer | undefined;
  private dialedAtMs = Number.NEGATIVE_INFINITY;
  private heardAtMs = 0;

  constructor(
    context: PeerContext,
    id: bigint,
    kind: StreamKind,
    parts: { activity: Activity; picker: UrlPicker; onMessage: (message: Message) => void },
  ) {
    this.context = context;
    this.id = id;
    this.kind = kind;
    this.activity = parts.activity;
    this.picker = parts.picker;
    this.onMessage = parts.onMessage;
  }

  start(): void {
    this.dial();
  }

  stop(): void {
    this.leave();
    this.state = { name: 'stopped' };
  }

  private dial(): void {
    const { clock, dialer, local, limits } = this.context;
    const url = this.picker.pick();
    this.dialedAtMs = clock.nowMs();
    this.heardAtMs = this.dialedAtMs;
    this.state = { name: 'dialing', url };
    this.call = dialer.openStream(
      {
        method: 'GET',
        url,
        path: `/raft/stream/${this.kind}/${idText(local.memberId)}`,
        headers: { ...raftRequestHeaders(local), [PeerHeader.to]: idText(this.id) },
      },
      {
        answered: (status, header) => this.answered(url, status, header),
        data: (chunk) => this.read(chunk),
        ended: (error) => this.ended(error),
      },
    );
    this.watchForStall(limits.stallMs);
  }

  private answered(url: string, status: number, header: ReadHeader): void {
    const { clock, local, logger } = this.context;
    this.heardAtMs = clock.nowMs();
    if (!speaksStreams(header, local.serverVersion)) {
      this.picker.failed(url);
      this.logRefusal('the remote peer does not speak this stream', { version: header('x-server-version') ?? 'none' });
      this.leave();
      this.pause();
      return;
    }
    if (status !== 200) {
      this.state = { name: 'refused', url, status, text: new Uint8Array(0) };
      return;
    }
    this.state = { name: 'reading', decoder: newDecoder(this.kind, this.id, local.memberId) };
    this.activity.activate();
    logger.info('established TCP streaming connection with remote peer', this.fields());
  }

  private read(chunk: Uint8Array): void {
    const { state } = this;
    const { clock, metrics } = this.context;
    this.heardAtMs = clock.nowMs();
    if (state.name === 'refused') {
      const room = refusalBytesMax - state.text.length;
      state.text = concatBytes([state.text, chunk.subarray(0, room)]);
    }
    if (state.name !== 'reading') return;
    this.receivedBytes ??= metrics.receivedBytes(this.id);
    this.receivedBytes.add(chunk.length);
    try {
      state.decoder.decode(chunk, this.onMessage);
    } catch (error) {
      if (!hasCode(error, 'peer/bad-message')) throw error;
      metrics.receivedFailures(this.id).add(1);
      this.fail(reasonOf(error));
    }
  }

  private ended(error: Error | undefined): void {
    const { state } = this;
    this.call = undefined;
    if (state.name === 'refused') this.refused(state.url, state.status, errorText(state.text));
    else if (error !== undefined || state.name !== 'reading') this.fail(error?.message ?? 'ended without an answer');
    else {
      this.context.logger.warn('lost TCP streaming connection with remote peer', this.fields('EOF'));
      this.leave();
      this.pause();
    }
  }

  private refused(url: string, status: number, text: string): void {
    this.picker.failed(url);
    this.leave();
    if (status === 410) {
      this.activity.deactivate(
        'dial',
        streamName(this.kind),
        'the member has been permanently removed from the cluster',
      );
      this.pause();
      this.context.toldRemoved();
      return;
    }
    if (status === 412 && text === 'incompatible version') {
      this.logRefusal('request sent was ignored by remote peer due to server version incompatibility', { error: text });
    } else if (status === 412 && text === 'cluster ID mismatch') {
      this.logRefusal('request sent was ignored by remote peer due to cluster ID mismatch', { error: text });
    }
    const { local } = this.context;
    const reason =
      status === 404
        ? `peer ${idText(this.id)} failed to find local node ${idText(local.memberId)}`
        : `status ${status}: ${text}`;
    this.activity.deactivate('dial', streamName(this.kind), reason);
    this.pause();
  }

  /** The connection could not be made, broke, or brought what cannot be read. */
  private fail(reason: string): void {
    const { state } = this;
    if (state.name === 'dialing' || state.name === 'refused') {
      this.picker.failed(state.url);
      this.activity.deactivate('dial', streamName(this.kind), reason);
    } else {
      this.context.logger.warn('lost TCP streaming connection with remote peer', this.fields(reason));
      this.activity.deactivate('read', streamName(this.kind), reason);
    }
    this.leave();
    this.pause();
  }

  /** Waits until the next attempt is due. A message that was just handed out may have stopped this stream. */
  private pause(): void {
    if (this.state.name === 'stopped') return;
    const { clock, limits } = this.context;
    const waitMs = Math.max(0, this.dialedAtMs + limits.redialMs - clock.nowMs());
    this.state = { name: 'pausing', timer: clock.setTimer(waitMs, () => this.dial()) };
  }

  /** Gives back what the state holds. */
  private leave(): void {
    if (this.state.name === 'pausing') this.state.timer.cancel();
    this.stallTimer?.cancel();
    this.stallTimer = undefined;
    const { call } = this;
    this.call = undefined;
    call?.cancel();
  }

  /** One timer for many chunks: when it fires, it waits for what is left since the last. */
  private watchForStall(delayMs: number): void {
    const { clock, limits } = this.context;
    this.stallTimer = clock.setTimer(delayMs, () => {
      const leftMs = this.heardAtMs + limits.stallMs - clock.nowMs();
      if (leftMs <= 0) this.fail('i/o timeout');
      else this.watchForStall(leftMs);
    });
  }

  private logRefusal(message: string, facts: Readonly<Record<string, unknown>>): void {
    this.context.warnings.warn(`${this.id} ${this.kind}`, message, { ...this.fields(), ...facts });
  }

  private fields(error?: string): Record<string, unknown> {
    const fields = {
      'stream-reader-type': streamName(this.kind),
      'local-member-id': this.context.local.memberId,
      'remote-peer-id': this.id,
    };
    return error === undefined ? fields : { ...fields, error };
  }
}
