import { readUint64BE } from '@quorate/base';
import { type Message, MessageType } from '@quorate/raft';
import { decodeMessage } from '../codec/message-codec.ts';
import { messageBytesMax } from '../codec/message-stream-codec.ts';
import type { IncomingPeerRequest, PeerAnswer } from '../peer-edge.ts';
import { type Headers, methodNotAllowed, plainError, reasonOf } from '../protocol/answers.ts';
import { probeJson } from '../protocol/documents.ts';
import { checkSender, idFromText, idText, PeerHeader, senderOf } from '../protocol/headers.ts';
import type { PeerContext } from '../transport/peer-context.ts';
import { isForRaft, type StreamHost } from '../transport/stream-host.ts';
import { isStreamKind } from '../transport/stream-kind.ts';
import { BodyReader, readWhole, withStallLimit } from './body.ts';

/** What snapshots that cannot be told a sender are counted under. */
const unknownSender = 'UNKNOWN_SNAPSHOT_SENDER';

/** The paths that carry raft messages (peer protocol, 1.4). Each check comes in etcd's order. */
export class RaftRoutes {
  private readonly context: PeerContext;
  private readonly host: StreamHost;

  constructor(context: PeerContext, host: StreamHost) {
    this.context = context;
    this.host = host;
  }

  /** GET /raft/stream/KIND/FROM */
  stream(request: IncomingPeerRequest): PeerAnswer {
    if (request.method !== 'GET') return methodNotAllowed('GET');
    const { local, source, warnings } = this.context;
    const headers = { ...this.clusterHeader(), [PeerHeader.serverVersion]: local.serverVersion };
    const refused = this.refuseSender(request, headers);
    if (refused !== undefined) return refused;
    const [, kind, fromText] = /^\/raft\/stream\/([^/]*)(?:\/([^/]*))?$/.exec(request.path) ?? [];
    if (kind === undefined || fromText === undefined || !isStreamKind(kind))
      return plainError(404, 'invalid path', headers);
    const from = idFromText(fromText);
    if (from === undefined) return plainError(404, 'invalid from', headers);
    if (source.isRemoved(from)) {
      warnings.warn(fromText, 'rejected stream from remote peer because it was removed', {
        'local-member-id': local.memberId,
        'remote-peer-id-stream-handler': local.memberId,
        'remote-peer-id-from': from,
      });
      return plainError(410, 'removed member', headers);
    }
    if (!this.host.isPeer(from)) {
      const urls = request.header('x-peerurls') ?? '';
      if (urls !== '') this.host.addRemote(from, urls.split(','));
      warnings.warn(fromText, 'failed to find remote peer in cluster', {
        'local-member-id': local.memberId,
        'remote-peer-id-stream-handler': local.memberId,
        'remote-peer-id-from': from,
        'cluster-id': local.clusterId,
      });
      return plainError(404, 'error sender not found', headers);
    }
    if (request.header('x-raft-to') !== idText(local.memberId)) return plainError(412, 'to field mismatch', headers);
    return { kind: 'stream', headers, attach: (sink) => this.host.attach(from, kind, sink) };
  }

  /** POST /raft */
  async message(request: IncomingPeerRequest): Promise<PeerAnswer> {
    if (request.method !== 'POST') return methodNotAllowed('POST');
    const headers = this.clusterHeader();
    const refused = this.refuseSender(request, headers);
    if (refused !== undefined) return refused;
    this.noteSender(request);
    const { clock, limits, metrics, source, warnings } = this.context;
    let body: Uint8Array;
    try {
      body = await readWhole(withStallLimit(clock, request.body, limits.stallMs), messageBytesMax);
    } catch (error) {
      warnings.warn('', 'failed to read Raft message', { remote: request.remote, error: reasonOf(error) });
      metrics.receivedFailures(request.remote).add(1);
      return { ...plainError(400, 'error reading raft message', headers), isLast: true };
    }
    let message: Message;
    try {
      message = decodeMessage(body);
    } catch (error) {
      warnings.warn('', 'failed to unmarshal Raft message', { remote: request.remote, error: reasonOf(error) });
      metrics.receivedFailures(request.remote).add(1);
      return plainError(400, 'error unmarshalling raft message', headers);
    }
    metrics.receivedBytes(message.from).add(body.length);
    const refusal = this.host.refusal(message);
    if (refusal !== undefined) {
      const fields = { 'remote-peer-id': message.from, error: refusal };
      warnings.warn(idText(message.from), 'failed to process Raft message', fields);
      // Never 403, as etcd means to: a sender that is told so by mistake would stop for good.
      return { ...plainError(500, 'error processing raft message', headers), isLast: true };
    }
    if (isForRaft(message)) source.receive(message);
    return { kind: 'whole', status: 204, headers, body: '' };
  }

  /** POST /raft/snapshot */
  async snapshot(request: IncomingPeerRequest): Promise<PeerAnswer> {
    const { clock, limits, metrics } = this.context;
    const headers = this.clusterHeader();
    const refused = request.method === 'POST' ? this.refuseSender(request, headers) : methodNotAllowed('POST');
    if (refused !== undefined) {
      metrics.snapshotReceive(unknownSender).failures.add(1);
      return refused;
    }
    this.noteSender(request);
    const sender = senderOf((name) => request.header(name))?.id ?? unknownSender;
    const reader = new BodyReader(withStallLimit(clock, request.body, limits.stallMs));
    const fail = (status: number, text: string): PeerAnswer => {
      metrics.snapshotReceive(sender).failures.add(1);
      this.context.logger.warn('failed to receive a snapshot', { 'remote-snapshot-sender-id': sender, error: text });
      return { ...plainError(status, text, headers), isLast: true };
    };
    let message: Message;
    try {
      message = await this.readSnapshotMessage(reader);
    } catch (error) {
      await reader.close();
      return fail(400, `failed to decode raft message (${reasonOf(error)})`);
    }
    const refusal = message.type === MessageType.MsgSnap ? this.host.refusal(message) : undefined;
    if (message.type !== MessageType.MsgSnap || refusal !== undefined) {
      await reader.close();
      return refusal === undefined
        ? fail(400, 'wrong raft message type')
        : fail(500, `failed to process raft message (${refusal})`);
    }
    return (await this.takeSnapshot(message, reader, fail)) ?? { kind: 'whole', status: 204, headers, body: '' };
  }

  /** /raft/probing, with any method */
  probing(): PeerAnswer {
    const headers = { 'Content-Type': 'text/plain; charset=utf-8' };
    return { kind: 'whole', status: 200, headers, body: `${probeJson(this.context.clock.wallMs())}\n` };
  }

  private async readSnapshotMessage(reader: BodyReader): Promise<Message> {
    const { snapshotMessageBytesMax } = this.context.limits;
    const length = readUint64BE(await reader.take(8), 0);
    if (!(length <= snapshotMessageBytesMax)) throw new Error('the message is too large');
    return decodeMessage(await reader.take(length));
  }

  /** The answer to a snapshot that could not be taken; undefined when it is on disk and raft has it. */
  private async takeSnapshot(
    message: Message,
    reader: BodyReader,
    fail: (status: number, text: string) => PeerAnswer,
  ): Promise<PeerAnswer | undefined> {
    const { clock, local, logger, metrics, source } = this.context;
    const cells = metrics.snapshotReceive(message.from);
    const startedMs = clock.nowMs();
    const fields = {
      'local-member-id': local.memberId,
      'remote-snapshot-sender-id': message.from,
      'incoming-snapshot-index': message.snapshot?.metadata.index ?? 0,
    };
    logger.info('receiving database snapshot', fields);
    cells.inflight.add(1);
    let bytes = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const chunk of reader.rest()) {
        bytes += chunk.length;
        yield chunk;
      }
    };
    try {
      await source.receiveSnapshot(message, counted());
    } catch (error) {
      await reader.close();
      return fail(500, `failed to save KV snapshot (${reasonOf(error)})`);
    } finally {
      cells.inflight.add(-1);
    }
    metrics.receivedBytes(message.from).add(bytes);
    cells.successes.add(1);
    cells.seconds.observe((clock.nowMs() - startedMs) / 1000);
    logger.info('received and saved database snapshot', { ...fields, bytes });
    return undefined;
  }

  private clusterHeader(): Headers {
    return { [PeerHeader.clusterId]: idText(this.context.local.clusterId) };
  }

  /** The answer to one who does not belong here or cannot be understood. */
  private refuseSender(request: IncomingPeerRequest, headers: Headers): PeerAnswer | undefined {
    const check = checkSender((name) => request.header(name), this.context.local);
    if (check === 'ok') return undefined;
    if (check === 'malformed') return { kind: 'abort' };
    const host = request.remote.replace(/:\d*$/, '');
    const fields = { remote: request.remote, path: request.path, error: check };
    this.context.warnings.warn(`${host} ${check}`, 'request was refused', fields);
    return plainError(412, check, headers);
  }

  private noteSender(request: IncomingPeerRequest): void {
    const sender = senderOf((name) => request.header(name));
    if (sender !== undefined) this.host.addRemote(sender.id, sender.urls);
  }
}
