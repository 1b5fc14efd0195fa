import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';

const STREAMS_PER_CONNECTION = 25;
/** A WatchRequest for all keys from revision 2 on: create_request {key \0, range_end \0, start_revision 2}. */
const WATCH_ALL = Buffer.from([0x0a, 0x08, 0x0a, 0x01, 0x00, 0x12, 0x01, 0x00, 0x18, 0x02]);

/** gRPC streams over raw HTTP/2 whose client asks for much and reads nothing: flow control holds the answers back in the server. */
export class SlowReaders {
  /** Streams whose first headers have come. */
  answered = 0;
  private readonly url: string;
  private readonly sessions: ClientHttp2Session[] = [];
  private opened = 0;

  constructor(endpoint: string) {
    this.url = `http://${endpoint}`;
  }

  openSnapshots(count: number): void {
    for (let i = 0; i < count; i++) this.open('/etcdserverpb.Maintenance/Snapshot', Buffer.alloc(0)).end();
  }

  openWatches(count: number): void {
    for (let i = 0; i < count; i++) this.open('/etcdserverpb.Watch/Watch', WATCH_ALL);
  }

  close(): void {
    for (const session of this.sessions) session.destroy();
  }

  private open(path: string, message: Buffer): ClientHttp2Stream {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    const stream = this.session().request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      [constants.HTTP2_HEADER_TE]: 'trailers',
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
    });
    stream.on('response', () => this.answered++);
    // What is cut at the end of the story is no news.
    stream.on('error', () => undefined);
    stream.write(Buffer.concat([prefix, message]));
    return stream;
  }

  private session(): ClientHttp2Session {
    if (this.opened++ % STREAMS_PER_CONNECTION === 0) {
      const session = connect(this.url);
      session.on('error', () => undefined);
      this.sessions.push(session);
    }
    return this.sessions.at(-1) as ClientHttp2Session;
  }
}
