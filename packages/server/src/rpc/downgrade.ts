import { type ErrorSymbol, etcdserverpb, services } from '@quorate/api';
import type { GrpcServer, UnaryCall } from '@quorate/transport';
import type { Downgrades } from '../versions/downgrades.ts';
import { decodeRequest, failCall, replyMessage } from './answers.ts';
import type { MemberContext } from './member-context.ts';
import { refuseCall } from './preconditions.ts';
import { makeHeader } from './response-header.ts';

/** What the Downgrade call needs beyond the member itself. */
export interface DowngradeSource {
  readonly downgrades: Downgrades;
  /** As `3.7.0`. */
  clusterVersion(): string | undefined;
}

const { DowngradeAction } = etcdserverpb;

/** Serves etcdserverpb.Maintenance.Downgrade. */
export function registerDowngrade(server: GrpcServer, member: MemberContext, source: DowngradeSource): void {
  server.registerUnary(services.Maintenance.methods.Downgrade.path, (call, bytes) => {
    if (refuseCall(call, member, false)) return;
    const request = decodeRequest(call, etcdserverpb.DowngradeRequest, bytes);
    if (request === undefined) return;
    member.access.asAdmin(call, () => {
      serveDowngrade(call, request, member, source).catch((error: unknown) => call.fail(2, String(error)));
    });
  });
}

async function serveDowngrade(
  call: UnaryCall,
  { action, version }: etcdserverpb.DowngradeRequest,
  member: MemberContext,
  { downgrades, clusterVersion }: DowngradeSource,
): Promise<void> {
  let refused: ErrorSymbol | undefined;
  if (action === DowngradeAction.VALIDATE) refused = await downgrades.validate(version);
  else if (action === DowngradeAction.ENABLE) refused = await downgrades.enable(version);
  else if (action === DowngradeAction.CANCEL) await downgrades.cancel();
  else refused = 'UnknownDowngradeAction';
  const current = clusterVersion();
  if (refused !== undefined || current === undefined) {
    failCall(call, refused ?? 'ErrGRPCClusterVersionUnavailable');
    return;
  }
  const response = { header: makeHeader(member), version: current.replace(/\.0$/, '') };
  replyMessage(call, etcdserverpb.DowngradeResponse, etcdserverpb.DowngradeResponse.create(response));
}
