import type { IncomingPeerRequest, PeerAnswer, PeerHandler } from '../peer-edge.ts';
import type { MemberPeerSource } from '../peer-source.ts';
import { internalError, notFound, reasonOf } from '../protocol/answers.ts';
import type { PeerContext } from '../transport/peer-context.ts';
import type { StreamHost } from '../transport/stream-host.ts';
import { MemberRoutes } from './member-routes.ts';
import { RaftRoutes } from './raft-routes.ts';

type Route = (request: IncomingPeerRequest) => PeerAnswer | Promise<PeerAnswer>;
/** A path that ends in a slash stands for all below it. */
type Routes = readonly (readonly [path: string, route: Route])[];

const raftPaths = (raft: RaftRoutes): Routes => [
  ['/raft', (request) => raft.message(request)],
  ['/raft/snapshot', (request) => raft.snapshot(request)],
  ['/raft/probing', () => raft.probing()],
  ['/raft/stream/', (request) => raft.stream(request)],
];

const memberPaths = (member: MemberRoutes): Routes => [
  ['/members', (request) => member.members(request)],
  ['/members/hashkv', (request) => member.hash(request)],
  ['/members/promote/', (request) => member.promote(request)],
  ['/version', (request) => member.version(request)],
  ['/leases', (request) => member.renewLease(request)],
  ['/leases/internal', (request) => member.leaseTimeToLive(request)],
  ['/downgrade/enabled', (request) => member.isDowngradeEnabled(request)],
];

/** The paths of the peer port (peer protocol, 1.2); without `member` those of raft alone. */
export function makePeerRoutes(
  context: PeerContext,
  host: StreamHost,
  member: MemberPeerSource | undefined,
): PeerHandler {
  const routes = [
    ...raftPaths(new RaftRoutes(context, host)),
    ...(member === undefined ? [] : memberPaths(new MemberRoutes(context, member))),
  ];
  const exact = new Map(routes);
  const below = routes.filter(([path]) => path.endsWith('/'));
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
