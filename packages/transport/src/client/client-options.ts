import type { Clock, Logger, Random } from '@quorate/base';
import type { Decompress } from '../grpc/compression.ts';
import type { ByteStream } from '../http2/byte-stream.ts';
import { defaultHttp2Limits, type Http2Limits } from '../http2/limits.ts';

/** Opens one connection; calls exactly one of the two, once. For TLS it has agreed on h2 by then. */
export type Connect = (onConnected: (stream: ByteStream) => void, onFailed: (reason: string) => void) => void;

export interface GrpcClientDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Spreads the pauses between attempts to connect. */
  readonly random: Random;
  readonly connect: Connect;
}

export interface GrpcClientOptions {
  readonly limits: Http2Limits;
  /** The `:authority` of every call. */
  readonly authority: string;
  /** The `:scheme`. */
  readonly scheme: 'http' | 'https';
  readonly userAgent: string;
  /** Pause after the first failed attempt to connect; grows by half with each further one. Milliseconds. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** How long one attempt to connect may take. */
  readonly connectTimeoutMs: number;
  /** Pings the server after this long without anything read; `Infinity` for never. */
  readonly keepaliveMs: number;
  /** How long the answer may take before the connection is given up. */
  readonly keepaliveTimeoutMs: number;
  /** Pings without a call under way too. */
  readonly keepaliveWithoutStream: boolean;
  /** Calls that wait for a connection or a free stream; more fail with status 8. */
  readonly waitingCallsMax: number;
  /** Bytes queued on a stream from which on `write` returns false. */
  readonly streamHighWaterBytes: number;
  /** Gunzips answers; without it a compressed answer fails the call. */
  readonly gunzip: Decompress | null;
}

/** What callers pass: anything left out has its default. */
export type GrpcClientSettings = Partial<Omit<GrpcClientOptions, 'limits'>> & {
  readonly authority: string;
  readonly limits?: Partial<Http2Limits>;
};

export const defaultClientLimits: Http2Limits = {
  ...defaultHttp2Limits,
  messageBytesMax: 0x7fff_ffff,
  unfinishedBytesMax: Number.POSITIVE_INFINITY,
  connectionWindowBytes: 4 * 1024 * 1024,
  streamWindowBytes: 1024 * 1024,
  outputBytesMax: 1024 * 1024,
  // Go's servers ping with the data they send, to measure the bandwidth: the rate grows with what we asked for.
  pingsMax: Number.POSITIVE_INFINITY,
};

export function completeClientOptions(settings: GrpcClientSettings): GrpcClientOptions {
  return {
    scheme: 'http',
    userAgent: 'grpc-node-quorate/0.1.0',
    backoffMinMs: 100,
    backoffMaxMs: 5000,
    connectTimeoutMs: 10_000,
    keepaliveMs: Number.POSITIVE_INFINITY,
    keepaliveTimeoutMs: 20_000,
    keepaliveWithoutStream: false,
    waitingCallsMax: 100_000,
    streamHighWaterBytes: 256 * 1024,
    gunzip: null,
    ...settings,
    limits: { ...defaultClientLimits, ...settings.limits },
  };
}

/** Pairs of name and value; `-bin` values are base64 already. The same array again is recognised and costs nothing to encode. */
export type RequestMetadata = readonly (readonly [string, string])[];

export interface CallOptions {
  /** From now to the end of the call, waiting included; none by default. */
  readonly timeoutMs?: number;
  readonly metadata?: RequestMetadata;
  /** Waits through failed attempts to connect instead of failing with status 14. */
  readonly waitForReady?: boolean;
}
