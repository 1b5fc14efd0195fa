import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { Duplex } from 'node:stream';
import { concatBytes } from '@quorate/base';
import { FrameFlag, FrameType, raw } from './inside.ts';

/** What nghttp2, by way of Node, makes of header blocks that come one after the other on a connection. */
export interface TheirHeaders {
  /** Name, value, name, value ... by number of the block; none for a request that is not well-formed beyond its encoding. */
  readonly lists: ReadonlyMap<number, readonly string[]>;
  /** Whether it gave the connection up. */
  readonly failed: boolean;
}

/** The server's end of a connection whose other end gives all bytes at once and waits for the answer to its last ping. */
class OtherEnd extends Duplex {
  private received: Uint8Array[] = [];
  private readonly onAnswer: (failed: boolean) => void;

  constructor(bytes: Uint8Array, onAnswer: (failed: boolean) => void) {
    super();
    this.onAnswer = onAnswer;
    this.push(bytes);
  }

  override _read(): void {
    // All was given at the start.
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.received.push(chunk);
    const types = frameTypes(concatBytes(this.received));
    done();
    if (types.includes(FrameType.goaway)) this.onAnswer(true);
    else if (types.includes(FrameType.ping)) this.onAnswer(false);
  }
}

function frameTypes(bytes: Uint8Array): number[] {
  const types: number[] = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    types.push(bytes[at + 3] as number);
    at += 9 + (((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number));
  }
  return types;
}

let server: Http2Server | undefined;
let current: ((stream: ServerHttp2Stream, list: readonly string[]) => void) | undefined;

function theServer(): Http2Server {
  if (server !== undefined) return server;
  server = createServer({ maxHeaderListPairs: 4000, maxSessionInvalidFrames: 1e6, maxSessionRejectedStreams: 1e6 });
  server.on('sessionError', () => undefined);
  const onStream = (stream: ServerHttp2Stream, _headers: object, _flags: number, list: readonly string[]): void => {
    stream.on('error', () => undefined);
    current?.(stream, list);
  };
  // The types leave the fourth out.
  server.on('stream', onStream as (stream: ServerHttp2Stream, headers: object, flags: number) => void);
  return server;
}

export async function theirHeaders(blocks: readonly Uint8Array[]): Promise<TheirHeaders> {
  const flags = FrameFlag.endHeaders | FrameFlag.endStream;
  const frames = blocks.map((block, i) => raw.frame(FrameType.headers, flags, i * 2 + 1, block));
  const ping = raw.frame(FrameType.ping, 0, 0, new Uint8Array(8));
  const lists = new Map<number, readonly string[]>();
  current = (stream, list) => lists.set(((stream.id ?? 1) - 1) / 2, list);
  let end: OtherEnd | undefined;
  const failed = await new Promise<boolean>((resolve) => {
    theServer().once('session', (session: ServerHttp2Session) => {
      session.on('error', () => resolve(true));
      session.on('close', () => resolve(true));
    });
    end = new OtherEnd(concatBytes([raw.clientPreface(), ...frames, ping]), resolve);
    end.on('error', () => resolve(true));
    theServer().emit('connection', end);
  });
  end?.destroy();
  return { lists, failed };
}
