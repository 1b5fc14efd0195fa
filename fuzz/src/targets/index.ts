import type { Target } from '../engine/target.ts';
import { bboltTarget } from './bbolt.ts';
import { configTarget } from './config.ts';
import { bboltEtcdTarget, snapEtcdTarget, walEtcdTarget } from './etcd-files.ts';
import { grpcTarget } from './grpc.ts';
import { hpackTarget } from './hpack.ts';
import { http2Target } from './http2.ts';
import { http2ClientTarget } from './http2-client.ts';
import { jsonTarget } from './json.ts';
import { peerTarget } from './peer.ts';
import { protobufTarget } from './protobuf.ts';
import { snapTarget } from './snap.ts';
import { walTarget } from './wal.ts';

export const targets: readonly Target[] = [
  walTarget,
  snapTarget,
  bboltTarget,
  http2Target,
  http2ClientTarget,
  hpackTarget,
  grpcTarget,
  protobufTarget,
  jsonTarget,
  peerTarget,
  configTarget,
  walEtcdTarget,
  snapEtcdTarget,
  bboltEtcdTarget,
];
