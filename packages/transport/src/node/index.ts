export { createGrpcClient, type GrpcClientNodeDeps, type GrpcClientNodeSettings } from './create-grpc-client.ts';
export { gunzip } from './gunzip.ts';
export {
  bindServer,
  feedingServer,
  type ListenAddress,
  type Listener,
  type ListenOptions,
  listen,
} from './listen.ts';
export { NetByteStream, peerOfSocket } from './net-byte-stream.ts';
export { sniffProtocol } from './sniff.ts';
