import { type ErrorSymbol, etcdserverpb, services } from '@quorate/api';
import { copyBytes } from '@quorate/base';
import type { ApplyResult, DowngradeInfo } from '@quorate/machine';
import type { Backend } from '@quorate/storage';
import type { Call, GrpcServer, StreamCall, UnaryCall } from '@quorate/transport';
import { etcdVersion } from '../version.ts';
import { decodeRequest, failCall, replyMessage } from './answers.ts';
import { answerDowngrade, type DowngradeSource } from './downgrade.ts';
import type { MemberContext } from './member-context.ts';
import { refuseCall } from './preconditions.ts';
import { CallOutcome, RequestField } from './proposals.ts';
import { makeHeader } from './response-header.ts';
import { type Digest, SnapshotStreams } from './snapshot-streams.ts';

export interface KeyValueHash {
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

/** What maintenance needs beyond the member itself. */
export interface MaintenanceSource extends DowngradeSource {
  readonly backend: Backend;
  raftIndex(): number;
  appliedIndex(): number;
  alarms(): readonly etcdserverpb.AlarmMember[];
  storageVersion(): string;
  downgrade(): DowngradeInfo;
  /** Bytes; 0 when there is no quota. */
  quotaBytes(): number;
  /** Resolves with the hash, or with the error that refuses the revision. */
  hashKeyValues(revision: number): Promise<KeyValueHash | ErrorSymbol>;
  isLeader(): boolean;
  isVoter(id: bigint): boolean;
  /** Hands leadership over; resolves with whether that came about in time. */
  moveLeader(to: bigint): Promise<boolean>;
  /** Rewrites the database without its free pages. */
  defragment(): Promise<void>;
  sha256(): Digest;
}

const methods = services.Maintenance.methods;

/** Serves etcdserverpb.Maintenance. */
export function registerMaintenance(server: GrpcServer, member: MemberContext, source: MaintenanceSource): void {
  /** For administrators: refuses what a learner may not serve, and turns failures of asynchronous handlers into answers. */
  const serveAdmin = (handle: (call: UnaryCall, bytes: Uint8Array) => Promise<void> | void) => {
    return (call: UnaryCall, bytes: Uint8Array) => {
      if (refuseCall(call, member, false)) return;
      const request = member.access.isOn ? copyBytes(bytes) : bytes;
      member.access.asAdmin(call, () => {
        const running = handle(call, request);
        running?.catch((error: unknown) => failUnexpectedly(call, member, error));
      });
    };
  };
  const snapshots = new SnapshotStreams({
    clock: member.clock,
    openSnapshot: () => source.backend.snapshot(),
    storageVersion: () => source.storageVersion(),
    sha256: () => source.sha256(),
  });
  server.registerUnary(methods.Status.path, (call) => {
    if (!refuseCall(call, member, true)) member.access.asUser(call, () => answerStatus(call, member, source));
  });
  server.registerUnary(methods.Alarm.path, (call, bytes) => {
    if (!refuseCall(call, member, false)) serveAlarm(call, bytes, member);
  });
  server.registerUnary(
    methods.Hash.path,
    serveAdmin(async (call) => {
      const hash = await source.backend.hash();
      replyMessage(
        call,
        etcdserverpb.HashResponse,
        etcdserverpb.HashResponse.create({ header: makeHeader(member), hash }),
      );
    }),
  );
  server.registerUnary(
    methods.HashKV.path,
    serveAdmin((call, bytes) => answerHashKeys(call, bytes, member, source)),
  );
  server.registerUnary(
    methods.Defragment.path,
    serveAdmin(async (call) => {
      await source.defragment();
      replyMessage(call, etcdserverpb.DefragmentResponse, etcdserverpb.DefragmentResponse.create());
    }),
  );
  server.registerUnary(
    methods.MoveLeader.path,
    serveAdmin((call, bytes) => answerMoveLeader(call, bytes, member, source)),
  );
  server.registerUnary(
    methods.Downgrade.path,
    serveAdmin((call, bytes) => answerDowngrade(call, bytes, member, source)),
  );
  server.registerStream(methods.Snapshot.path, (call) => serveSnapshot(call, member, snapshots), 'server_stream');
}

function serveSnapshot(call: StreamCall, member: MemberContext, snapshots: SnapshotStreams): void {
  if (refuseCall(call, member, true)) return;
  call.onMessage(() => {});
  call.onEnd(() => {});
  member.access.asAdmin(call, () => {
    snapshots.send(call).catch((error: unknown) => failUnexpectedly(call, member, error));
  });
}

async function answerHashKeys(
  call: UnaryCall,
  bytes: Uint8Array,
  member: MemberContext,
  source: MaintenanceSource,
): Promise<void> {
  const request = decodeRequest(call, etcdserverpb.HashKVRequest, bytes);
  if (request === undefined) return;
  const result = await source.hashKeyValues(request.revision);
  if (typeof result === 'string') failCall(call, result);
  else {
    const response = etcdserverpb.HashKVResponse.create({ header: makeHeader(member), ...result });
    replyMessage(call, etcdserverpb.HashKVResponse, response);
  }
}

function failUnexpectedly(call: Call, member: MemberContext, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  member.logger.error('request failed', { path: call.path, error: text });
  call.fail(2, text);
}

function answerStatus(call: UnaryCall, member: MemberContext, source: MaintenanceSource): void {
  const leader = member.leader();
  const { isEnabled: enabled, targetVersion } = source.downgrade();
  const alarms = source.alarms().map((alarm) => `memberID:${alarm.memberId} alarm:${alarmName(alarm.alarm)} `);
  const status = etcdserverpb.StatusResponse.create({
    header: makeHeader(member),
    version: etcdVersion,
    dbSize: source.backend.size(),
    dbSizeInUse: source.backend.sizeInUse(),
    leader,
    raftIndex: source.raftIndex(),
    raftTerm: member.appliedTerm(),
    raftAppliedIndex: source.appliedIndex(),
    errors: leader === 0n ? ['etcdserver: no leader', ...alarms] : alarms,
    isLearner: member.isLearner(),
    storageVersion: source.storageVersion(),
    dbSizeQuota: source.quotaBytes(),
    downgradeInfo: etcdserverpb.DowngradeInfo.create({ enabled, targetVersion }),
  });
  replyMessage(call, etcdserverpb.StatusResponse, status);
}

/** The name of an alarm type as it appears in texts. */
export function alarmName(type: number): string {
  return ['NONE', 'NOSPACE', 'CORRUPT'][type] ?? String(type);
}

function serveAlarm(call: UnaryCall, bytes: Uint8Array, member: MemberContext): void {
  const request = decodeRequest(call, etcdserverpb.AlarmRequest, bytes);
  if (request === undefined) return;
  const { access } = member;
  const check = request.action === etcdserverpb.AlarmAction.GET ? access.checkUser : access.checkAdmin;
  access.propose(call, RequestField.alarm, bytes, new AlarmOutcome(call, member), check);
}

class AlarmOutcome extends CallOutcome<UnaryCall, MemberContext> {
  protected answer(result: ApplyResult): void {
    if (result.kind !== 'alarm') return;
    const response = { header: makeHeader(this.context), alarms: [...result.alarms] };
    replyMessage(this.call, etcdserverpb.AlarmResponse, etcdserverpb.AlarmResponse.create(response));
  }
}

function answerMoveLeader(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: MaintenanceSource): void {
  const request = decodeRequest(call, etcdserverpb.MoveLeaderRequest, bytes);
  if (request === undefined) return;
  if (!source.isLeader()) failCall(call, 'ErrGRPCNotLeader');
  else if (!source.isVoter(request.targetId)) failCall(call, 'ErrGRPCBadLeaderTransferee');
  else if (request.targetId === member.memberId) {
    replyMessage(call, etcdserverpb.MoveLeaderResponse, etcdserverpb.MoveLeaderResponse.create());
  } else {
    source.moveLeader(request.targetId).then((isDone) => {
      if (!isDone) failCall(call, 'LeaderTransferTimeout');
      else replyMessage(call, etcdserverpb.MoveLeaderResponse, etcdserverpb.MoveLeaderResponse.create());
    });
  }
}
