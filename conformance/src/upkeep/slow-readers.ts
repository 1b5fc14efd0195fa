import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';

const STREAMS_PER_CONNECTION = 25;
/** A WatchRequest for all keys from revision 2 on: create_request {key \0, range_end \0, start_revision 2}. */
const WATCH_ALL = Buffer.from([0x0a, 0x08, 0x0a, 0x01, 0x00, 0x12, 0x01, 0x00, 0x18, 0x02]);
/** A RangeRequest for all keys: {key \0, range_end \0}. */
const RANGE_ALL = Buffer.from([0x0a, 0x01, 0x00, 0x12, 0x01, 0x00]);

/** A TxnRequest that puts b at a and answers with all keys. */
const TXN_ALL = Buffer.concat([
  Buffer.from([0x12, 0x08, 0x12, 0x06, 0x0a, 0x01, 0x61, 0x12, 0x01, 0x62]),
  Buffer.from([0x12, 0x08, 0x0a, 0x06]),
  RANGE_ALL,
]);

/** gRPC streams over raw HTTP/2 whose client asks for much and reads nothing: flow control holds the answers back in the server. */
export class SlowReaders {
  /** Streams whose first headers have come. */
  answered = 0;
  /** Streams that ended with status 0. */
  succeeded = 0;
  private readonly url: string;
  private readonly streamsPerConnection: number;
  private readonly sessions: ClientHttp2Session[] = [];
  private readonly streams: ClientHttp2Stream[] = [];

  constructor(endpoint: string, streamsPerConnection = STREAMS_PER_CONNECTION) {
    this.url = `http://${endpoint}`;
    this.streamsPerConnection = streamsPerConnection;
  }

  openSnapshots(count: number): void {
    for (let i = 0; i < count; i++) this.open('Maintenance/Snapshot', Buffer.alloc(0)).end();
  }

  openRanges(count: number): void {
    for (let i = 0; i < count; i++) this.open('KV/Range', RANGE_ALL).end();
  }

  openTransactions(count: number): void {
    for (let i = 0; i < count; i++) this.open('KV/Txn', TXN_ALL).end();
  }

  openWatches(count: number): void {
    for (let i = 0; i < count; i++) this.open('Watch/Watch', WATCH_ALL);
  }

  /** Each for another range, from revision 2 on, so that no two have the same answers: {key k, range_end l and its number}. */
  openDifferentWatches(count: number): void {
    for (let i = 0; i < count; i++) {
      const end = Buffer.from(`l${i}`);
      const create = Buffer.concat([Buffer.from([0x0a, 1, 0x6b, 0x12, end.length]), end, Buffer.from([0x18, 2])]);
      this.open('Watch/Watch', Buffer.concat([Buffer.from([0x0a, create.length]), create]));
    }
  }

  /** Reads all that comes from now on. */
  read(): void {
    for (const stream of this.streams) stream.resume();
  }

  close(): void {
    for (const session of this.sessions) session.destroy();
  }

  private open(method: string, message: Buffer): ClientHttp2Stream {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    const stream = this.session().request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: `/etcdserverpb.${method}`,
      [constants.HTTP2_HEADER_TE]: 'trailers',
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
    });
    this.streams.push(stream);
    stream.on('response', () => this.answered++);
    stream.on('trailers', (trailers) => {
      if (trailers['grpc-status'] === '0') this.succeeded++;
    });
    // What is cut at the end of the story is no news.
    stream.on('error', () => undefined);
    stream.write(Buffer.concat([prefix, message]));
    return stream;
  }

  private session(): ClientHttp2Session {
    if (this.streams.length % this.streamsPerConnection === 0) {
      const session = connect(this.url);
      session.on('error', () => undefined);
      this.sessions.push(session);
    }
    return this.sessions.at(-1) as ClientHttp2Session;
  }
}
