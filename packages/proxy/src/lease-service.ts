import { etcdserverpb, services } from '@quorate/api';
import { copyBytes } from '@quorate/base';
import type { GrpcServer } from '@quorate/transport';
import { askUpstream, forwardStream, forwardUnary } from './forwarding.ts';
import type { KeyValueContext } from './kv-service.ts';

const { LeaseTimeToLiveResponse } = etcdserverpb;
const methods = services.Lease.methods;

/** Serves etcdserverpb.Lease by the servers. A revoked lease takes its keys with it, so nothing cached outlives it. */
export function registerLease(server: GrpcServer, context: KeyValueContext): void {
  for (const { path } of [methods.LeaseGrant, methods.LeaseLeases]) forwardUnary(server, context, path);
  forwardStream(server, context, methods.LeaseKeepAlive);
  server.registerUnary(methods.LeaseRevoke.path, (call, bytes) => {
    askUpstream(context, call, copyBytes(bytes), (answer) => {
      context.cache.clear();
      call.replyChunks([answer]);
    });
  });
  server.registerUnary(methods.LeaseTimeToLive.path, (call, bytes) => {
    askUpstream(context, call, copyBytes(bytes), (answer) => {
      const { namespace } = context;
      const outer = namespace.isEmpty ? answer : outerKeys(context, answer);
      call.replyChunks([outer]);
    });
  });
}

function outerKeys({ namespace }: KeyValueContext, answer: Uint8Array): Uint8Array {
  return LeaseTimeToLiveResponse.encode(namespace.outerTimeToLive(LeaseTimeToLiveResponse.decode(answer)));
}
