import { healthpb, services } from '@quorate/api';
import type { GrpcServer, StreamHandler } from '@quorate/transport';
import { decodeRequest, failCall, replyMessage, writeMessage } from './answers.ts';
import type { MemberContext } from './member-context.ts';
import { needsLeader, refuseCall, refuseStream } from './preconditions.ts';

/** Tells the present status and each change of it. */
export interface ServingStatus {
  isServing(): boolean;
  /** @returns what ends the subscription. */
  onChange(callback: () => void): () => void;
}

const servingStatus = { serving: 1, notServing: 2, serviceUnknown: 3 } as const;
/** Services whose health can be asked for: the server as a whole. */
const knownServices = new Set(['']);

/** Serves grpc.health.v1.Health; learners refuse it, as all calls but few. */
export function registerHealth(server: GrpcServer, member: MemberContext, status: ServingStatus): void {
  const current = () => ({ status: status.isServing() ? servingStatus.serving : servingStatus.notServing });
  server.registerUnary(services.Health.methods.Check.path, (call, bytes) => {
    const request = decodeRequest(call, healthpb.HealthCheckRequest, bytes);
    if (request === undefined || refuseCall(call, member, false)) return;
    if (!knownServices.has(request.service)) {
      failCall(call, 'HealthUnknownService');
      return;
    }
    replyMessage(call, healthpb.HealthCheckResponse, healthpb.HealthCheckResponse.create(current()));
  });
  server.registerUnary(services.Health.methods.List.path, (call) => {
    if (refuseCall(call, member, false)) return;
    const statuses = new Map([...knownServices].map((name) => [name, healthpb.HealthCheckResponse.create(current())]));
    replyMessage(call, healthpb.HealthListResponse, healthpb.HealthListResponse.create({ statuses }));
  });
  const serveWatch: StreamHandler = (call) => {
    if (refuseStream(call, member)) return;
    let isWatching = false;
    call.onMessage((bytes) => {
      if (isWatching) return;
      isWatching = true;
      const request = decodeRequest(call, healthpb.HealthCheckRequest, bytes);
      if (request === undefined) return;
      const tell = () => {
        const message = knownServices.has(request.service) ? current() : { status: servingStatus.serviceUnknown };
        writeMessage(call, healthpb.HealthCheckResponse, healthpb.HealthCheckResponse.create(message));
      };
      tell();
      const stopTelling = status.onChange(tell);
      const endWatching = member.streams.add((symbol) => {
        stopTelling();
        failCall(call, symbol);
      }, needsLeader(call));
      call.onCancel(() => {
        stopTelling();
        endWatching();
      });
    });
    call.onEnd(() => {});
  };
  server.registerStream(services.Health.methods.Watch.path, serveWatch, 'server_stream');
}
