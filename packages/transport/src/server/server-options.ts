import type { Counter } from '@quorate/base';
import type { Decompress } from '../grpc/compression.ts';
import type { Metadata } from '../grpc/metadata.ts';
import { defaultHttp2Limits, type Http2Limits } from '../http2/limits.ts';
import type { GrpcType, HandlerWrapper } from './calls.ts';

/** Keepalive of a server; times in milliseconds, `Infinity` for never. The defaults are etcd's flags'. */
export interface ServerKeepalive {
  /** Without anything read for this long, the server pings (grpc-keepalive-interval). */
  readonly intervalMs: number;
  /** How long the answer may take before the connection is cut (grpc-keepalive-timeout). */
  readonly timeoutMs: number;
  /** Clients that ping more often than this, a third time in a row, are sent away (grpc-keepalive-min-time); 0 for any. */
  readonly minTimeMs: number;
  /** Whether clients may ping at that rate without a call; else it is once in two hours. */
  readonly permitWithoutStream: boolean;
}

/** Of a unary call that was answered, with an error or not. */
export interface UnaryStats {
  readonly path: string;
  /** Of the client. */
  readonly address: string;
  /** When it came, as wall-clock milliseconds. */
  readonly startedWallMs: number;
  readonly tookMs: number;
  readonly requestBytes: number;
  /** 0 when it failed. */
  readonly responseBytes: number;
}

/** Who wants to hear of unary calls that took longer than that. */
export interface SlowUnary {
  readonly ms: number;
  answered(stats: UnaryStats): void;
}

/** Hears of each call of a method when it has ended. */
export type CallObserver = (tookMs: number, code: number) => void;

export interface GrpcServerOptions {
  readonly limits: Http2Limits;
  readonly keepalive: ServerKeepalive;
  /** Bytes queued on a stream call from which on `write` returns false. */
  readonly streamHighWaterBytes: number;
  /** Bytes queued on the stream calls of all connections together. More: the same as with `limits.streamBytesMax` on each of them. */
  readonly allStreamBytesMax: number;
  /** Gunzips requests; without it gzip is an unsupported encoding. */
  readonly gunzip: Decompress | null;
  readonly slowUnary: SlowUnary | null;
  /** Wraps every handler. */
  readonly wrapper: HandlerWrapper | null;
  /** Asked once a method: who hears how long its calls take; null for nobody, which costs nothing. */
  readonly observe: ((path: string, type: GrpcType) => CallObserver | null) | null;
  /** Asked once for calls with the same headers: what counts them. */
  readonly counterOf: ((metadata: Metadata, isStream: boolean) => Counter) | null;
}

export const defaultGrpcServerOptions: GrpcServerOptions = {
  limits: defaultHttp2Limits,
  keepalive: { intervalMs: 7_200_000, timeoutMs: 20_000, minTimeMs: 5000, permitWithoutStream: false },
  streamHighWaterBytes: 256 * 1024,
  allStreamBytesMax: 64 * 1024 * 1024,
  gunzip: null,
  slowUnary: null,
  wrapper: null,
  observe: null,
  counterOf: null,
};

/** What callers pass: anything left out has its default. */
export interface GrpcServerSettings {
  readonly limits?: Partial<Http2Limits>;
  readonly keepalive?: Partial<ServerKeepalive>;
  readonly streamHighWaterBytes?: number;
  readonly allStreamBytesMax?: number;
  readonly gunzip?: Decompress;
  readonly slowUnary?: SlowUnary;
  readonly wrapper?: HandlerWrapper;
  readonly observe?: (path: string, type: GrpcType) => CallObserver | null;
  readonly counterOf?: (metadata: Metadata, isStream: boolean) => Counter;
}

export function completeServerOptions(settings: GrpcServerSettings): GrpcServerOptions {
  const defaults = defaultGrpcServerOptions;
  return {
    limits: { ...defaults.limits, ...settings.limits },
    keepalive: { ...defaults.keepalive, ...settings.keepalive },
    streamHighWaterBytes: settings.streamHighWaterBytes ?? defaults.streamHighWaterBytes,
    allStreamBytesMax: settings.allStreamBytesMax ?? defaults.allStreamBytesMax,
    gunzip: settings.gunzip ?? defaults.gunzip,
    slowUnary: settings.slowUnary ?? defaults.slowUnary,
    wrapper: settings.wrapper ?? defaults.wrapper,
    observe: settings.observe ?? defaults.observe,
    counterOf: settings.counterOf ?? defaults.counterOf,
  };
}
