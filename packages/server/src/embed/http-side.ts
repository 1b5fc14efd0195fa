import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock, Logger } from '@quorate/base';
import type { GrpcServer } from '@quorate/transport';
import type { MemberConfig } from '../config/config.ts';
import { DebugPages } from '../gateway/debug-pages.ts';
import { FrontDoor, metricsDoor } from '../gateway/front-door.ts';
import { Health } from '../gateway/health.ts';
import type { HttpHandler } from '../gateway/http-types.ts';
import { JsonGateway } from '../gateway/json/json-gateway.ts';
import { MetricsPage } from '../gateway/metrics-page.ts';
import type { RecentCalls } from '../gateway/recent-calls.ts';
import type { Member } from '../member/member.ts';
import { encodeFamilies } from '../metrics/protobuf-exposition.ts';
import type { MetricsRegistry } from '../metrics/registry.ts';
import { processVariables, profileCpu, profileHeap } from './process-debug.ts';

export interface HttpSideDeps {
  readonly member: Member;
  readonly grpc: GrpcServer;
  readonly metrics: MetricsRegistry;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly recentCalls: RecentCalls | undefined;
}

/** Who answers over HTTP. */
export interface HttpSide {
  readonly door: HttpHandler;
  readonly metricsDoor: HttpHandler;
}

const zip = promisify(gzip);

/** Puts together what a member answers over HTTP beside gRPC. */
export function makeHttpSide(deps: HttpSideDeps, config: MemberConfig): HttpSide {
  const { member, grpc, metrics, logger, clock } = deps;
  const shared = {
    health: new Health({ source: member, metrics, logger }),
    metricsPage: new MetricsPage({
      metrics,
      expose: () => metrics.expose(),
      exposeProtobuf: () => encodeFamilies(metrics.gather()),
      gzip: (bytes) => zip(bytes),
    }),
  };
  const gateway = config.grpcGateway
    ? new JsonGateway(grpc.local, clock, { messageBytesMax: grpc.options.limits.messageBytesMax })
    : undefined;
  const debug = new DebugPages(
    {
      variables: () => ({ ...processVariables(), 'raft.status': member.raftStatus() }),
      commandLine: () => process.argv,
      profileCpu,
      profileHeap,
    },
    { profiles: config.profiles, requests: deps.recentCalls },
  );
  const door = new FrontDoor(
    {
      ...shared,
      versions: member,
      debug,
      gateway,
      namesByCertificate: () => config.clientTls.clientCertAuth && member.isAuthEnabled(),
      logger,
    },
    { corsOrigins: config.corsOrigins, hosts: config.hostWhitelist },
  );
  return { door: door.serve, metricsDoor: metricsDoor(shared) };
}
