import { assert, type Metrics, noMetrics, silentLogger } from '@quorate/base';
import type { HeaderField } from '../hpack/header-field.ts';
import { HpackDecoder } from '../hpack/hpack-decoder.ts';
import { FrameType } from '../http2/constants.ts';
import { createGrpcServer, type GrpcServer } from '../server/grpc-server.ts';
import type { HttpFallback } from '../server/http-fallback.ts';
import type { GrpcServerSettings } from '../server/server-options.ts';
import { CapturedStream } from './captured-stream.ts';
import { ManualClock } from './manual-clock.ts';
import { clientPreface, parseFrames, type RawFrame } from './raw-frames.ts';

/** A server with one raw client, on manual time. */
export class ServerHarness {
  readonly clock = new ManualClock();
  readonly server: GrpcServer;
  readonly stream: CapturedStream;
  private readonly decoder = new HpackDecoder(4096, 1_000_000);

  constructor(settings: GrpcServerSettings = {}, metrics: Metrics = noMetrics) {
    this.server = createGrpcServer({ clock: this.clock, logger: silentLogger, metrics }, settings);
    this.stream = new CapturedStream(this.clock);
  }

  /** Connects; with `preface` the opening is over and its frames forgotten. */
  connect(preface = true, settings: readonly number[] = [], onHttpRequest: HttpFallback | null = null): this {
    this.server.accept(this.stream, onHttpRequest);
    if (preface) {
      this.feed(clientPreface(settings));
      this.frames();
    }
    return this;
  }

  feed(bytes: Uint8Array): void {
    this.stream.feed(bytes);
  }

  /** Ends the turn and takes the frames that came out. */
  frames(): RawFrame[] {
    this.clock.settle();
    return parseFrames(this.stream.takeOutput());
  }

  /** Ends the turn; the header blocks that came out, decoded. */
  headers(): Record<string, string>[] {
    const blocks: Record<string, string>[] = [];
    for (const one of this.frames()) {
      if (one.type !== FrameType.headers) continue;
      const fields: HeaderField[] = [];
      const count = this.decoder.decode(one.payload, 0, one.payload.length, fields);
      assert(count >= 0, 'the header block decodes');
      blocks.push(Object.fromEntries(fields.slice(0, count).map((field) => [field.name, field.value])));
    }
    return blocks;
  }

  /** Ends the turn; the GOAWAY that came out with the close, or null. */
  goaway(): { code: number; debug: string; lastStreamId: number } | null {
    const found = this.frames().find((frame) => frame.type === FrameType.goaway);
    if (found === undefined) return null;
    const view = new DataView(found.payload.buffer, found.payload.byteOffset);
    let debug = '';
    for (const byte of found.payload.subarray(8)) debug += String.fromCharCode(byte);
    return { lastStreamId: view.getUint32(0), code: view.getUint32(4), debug };
  }
}
