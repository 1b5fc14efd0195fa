import { type ErrorSymbol, etcdserverpb } from '@quorate/api';
import type { UnaryCall } from '@quorate/transport';
import type { Downgrades } from '../versions/downgrades.ts';
import { decodeRequest, failCall, replyMessage } from './answers.ts';
import type { MemberContext } from './member-context.ts';
import { makeHeader } from './response-header.ts';

/** What the call Downgrade needs beyond the member itself. */
export interface DowngradeSource {
  readonly downgrades: Downgrades;
  /** As `3.7.0`. */
  clusterVersion(): string | undefined;
}

const { DowngradeAction } = etcdserverpb;

/** Answers Maintenance.Downgrade. */
export async function answerDowngrade(
  call: UnaryCall,
  bytes: Uint8Array,
  member: MemberContext,
  source: DowngradeSource,
): Promise<void> {
  const request = decodeRequest(call, etcdserverpb.DowngradeRequest, bytes);
  if (request === undefined) return;
  const refused = await perform(request, source.downgrades);
  const version = source.clusterVersion();
  if (refused !== undefined || version === undefined) {
    failCall(call, refused ?? 'ErrGRPCClusterVersionUnavailable');
    return;
  }
  const response = { header: makeHeader(member), version: version.replace(/\.0$/, '') };
  replyMessage(call, etcdserverpb.DowngradeResponse, etcdserverpb.DowngradeResponse.create(response));
}

async function perform(
  { action, version }: etcdserverpb.DowngradeRequest,
  downgrades: Downgrades,
): Promise<ErrorSymbol | undefined> {
  switch (action) {
    case DowngradeAction.VALIDATE:
      return downgrades.validate(version);
    case DowngradeAction.ENABLE:
      return downgrades.enable(version);
    case DowngradeAction.CANCEL:
      await downgrades.cancel();
      return undefined;
    default:
      return 'UnknownDowngradeAction';
  }
}
