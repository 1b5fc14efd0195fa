import type { IncomingPeerRequest, PeerAnswer, PeerHandler } from '../peer-edge.ts';
import { internalError, notFound, reasonOf } from '../protocol/answers.ts';
import type { PeerContext } from '../transport/peer-context.ts';
import type { StreamHost } from '../transport/stream-host.ts';
import { MemberRoutes } from './member-routes.ts';
import { RaftRoutes } from './raft-routes.ts';

type Route = (request: IncomingPeerRequest) => PeerAnswer | Promise<PeerAnswer>;

/** The paths of the peer port (peer protocol, 1.2). */
export function makePeerRoutes(context: PeerContext, host: StreamHost): PeerHandler {
  const raft = new RaftRoutes(context, host);
  const member = new MemberRoutes(context);
  const exact: ReadonlyMap<string, Route> = new Map<string, Route>([
    ['/raft', (request) => raft.message(request)],
    ['/raft/snapshot', (request) => raft.snapshot(request)],
    ['/raft/probing', () => member.probing()],
    ['/members', (request) => member.members(request)],
    ['/members/hashkv', (request) => member.hash(request)],
    ['/version', (request) => member.version(request)],
    ['/leases', (request) => member.renewLease(request)],
    ['/leases/internal', (request) => member.leaseTimeToLive(request)],
    ['/downgrade/enabled', (request) => member.isDowngradeEnabled(request)],
  ]);
  const below: readonly (readonly [string, Route])[] = [
    ['/raft/stream/', (request) => raft.stream(request)],
    ['/members/promote/', (request) => member.promote(request)],
  ];
  const routeOf = (path: string): Route | undefined =>
    exact.get(path) ?? below.find(([prefix]) => path.startsWith(prefix))?.[1];
  return {
    async handle(request) {
      try {
        return (await routeOf(request.path)?.(request)) ?? notFound();
      } catch (error) {
        context.logger.error('a request on the peer port failed', { path: request.path, error: reasonOf(error) });
        return { ...internalError(), isLast: true };
      }
    },
  };
}
