import { etcdserverpb, services } from '@quorate/api';
import { copyBytes } from '@quorate/base';
import { type GrpcServer, GrpcStatus } from '@quorate/transport';
import { askUpstream, forwardUnary, type ProxyContext } from './forwarding.ts';

const { MemberListResponse, Member } = etcdserverpb;
const methods = services.Cluster.methods;

/** A proxy as clients find it in the member list. */
export interface ProxyAddress {
  readonly name: string;
  /** `host:port`. */
  readonly address: string;
}

/** Serves etcdserverpb.Cluster: clients that look for members find the proxies, or the servers where no proxy says who it is. */
export function registerCluster(
  server: GrpcServer,
  context: ProxyContext,
  proxies: () => readonly ProxyAddress[],
): void {
  for (const { path } of [methods.MemberAdd, methods.MemberRemove, methods.MemberUpdate]) {
    forwardUnary(server, context, path);
  }
  server.registerUnary(methods.MemberPromote.path, (call) => call.fail(GrpcStatus.unknown, 'not implemented'));
  server.registerUnary(methods.MemberList.path, (call, bytes) => {
    askUpstream(context, call, copyBytes(bytes), (answer) => {
      const known = proxies();
      if (known.length === 0) call.replyChunks([answer]);
      else {
        const { header } = MemberListResponse.decode(answer);
        const members = known.map(({ name, address }) => Member.create({ name, clientUrls: [address] }));
        call.replyChunks([MemberListResponse.encode(MemberListResponse.create({ header, members }))]);
      }
    });
  });
}
