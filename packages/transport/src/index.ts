export {
  type CallOptions,
  type Connect,
  completeClientOptions,
  defaultClientLimits,
  type GrpcClientDeps,
  type GrpcClientOptions,
  type GrpcClientSettings,
  type RequestMetadata,
} from './client/client-options.ts';
export { GrpcClient } from './client/grpc-client.ts';
export type { ClientStream, StreamStatus } from './client/stream-client-call.ts';
export type { UnaryCallback } from './client/unary-client-call.ts';
export type { Decompress, DecompressFailure } from './grpc/compression.ts';
export { base64Encode, emptyMetadata, Metadata } from './grpc/metadata.ts';
export { GrpcStatus, GrpcStatusError, grpcStatusNames } from './grpc/status.ts';
export type { ByteStream, ByteStreamHandler, Peer, PeerCertificate } from './http2/byte-stream.ts';
export { clientPrefaceText, Http2Code } from './http2/constants.ts';
export { defaultHttp2Limits, type Http2Limits } from './http2/limits.ts';
export { Cancellation } from './local/cancellation.ts';
export { localPeer } from './local/local-call.ts';
export type { LocalCallOptions, LocalClient, LocalUnaryOptions } from './local/local-client.ts';
export type { LocalStream } from './local/local-stream-call.ts';
export type {
  Call,
  GrpcType,
  HandlerWrapper,
  StreamCall,
  StreamHandler,
  UnaryCall,
  UnaryHandler,
} from './server/calls.ts';
export { createGrpcServer, type GrpcServer, type GrpcServerDeps } from './server/grpc-server.ts';
export type { HttpFallback, HttpRequest, HttpResponse } from './server/http-fallback.ts';
export {
  type CallObserver,
  defaultGrpcServerOptions,
  type GrpcServerOptions,
  type GrpcServerSettings,
  type ServerKeepalive,
  type SlowUnary,
  type UnaryStats,
} from './server/server-options.ts';
