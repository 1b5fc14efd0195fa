import { type ErrorSymbol, etcdserverpb, services, writeVarint } from '@quorate/api';
import { allocateUnsafe, copyBytes } from '@quorate/base';
import type { DowngradeInfo } from '@quorate/machine';
import type { Backend } from '@quorate/storage';
import type { Call, GrpcServer, StreamCall, UnaryCall } from '@quorate/transport';
import { etcdVersion } from '../version.ts';
import { decodeRequest, failCall, replyMessage } from './answers.ts';
import { fieldLength } from './header-bytes.ts';
import type { MemberContext } from './member-context.ts';
import { refuseCall } from './preconditions.ts';
import { makeHeader } from './response-header.ts';

/** A running digest. */
export interface Digest {
  update(bytes: Uint8Array): void;
  finish(): Uint8Array;
}

export interface KeyValueHash {
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

/** What maintenance needs beyond the member itself. */
export interface MaintenanceSource {
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
  /** Replicates an alarm request; fails or calls back with what the alarm store says. */
  proposeAlarm(
    request: Uint8Array,
    done: (alarms: readonly etcdserverpb.AlarmMember[]) => void,
    failed: (symbol: ErrorSymbol) => void,
  ): void;
  isLeader(): boolean;
  isVoter(id: bigint): boolean;
  /** Hands leadership over; resolves with whether that came about in time. */
  moveLeader(to: bigint): Promise<boolean>;
  /** Rewrites the database without its free pages. */
  defragment(): Promise<void>;
  sha256(): Digest;
}

/** Bytes of the database in one message of a snapshot, as etcd's. */
const snapshotChunkBytes = 32 * 1024;
const methods = services.Maintenance.methods;

/** Serves etcdserverpb.Maintenance. */
export function registerMaintenance(server: GrpcServer, member: MemberContext, source: MaintenanceSource): void {
  /** Refuses what a learner or a member without leader may not serve, and turns failures of asynchronous handlers into answers. */
  const serve = (servedByLearner: boolean, handle: (call: UnaryCall, bytes: Uint8Array) => Promise<void> | void) => {
    return (call: UnaryCall, bytes: Uint8Array) => {
      if (refuseCall(call, member, servedByLearner)) return;
      const running = handle(call, bytes);
      running?.catch((error: unknown) => failUnexpectedly(call, member, error));
    };
  };
  server.registerUnary(
    methods.Status.path,
    serve(true, (call) => answerStatus(call, member, source)),
  );
  server.registerUnary(
    methods.Alarm.path,
    serve(false, (call, bytes) => answerAlarm(call, bytes, member, source)),
  );
  server.registerUnary(
    methods.Hash.path,
    serve(false, async (call) => {
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
    serve(false, async (call, bytes) => {
      const request = decodeRequest(call, etcdserverpb.HashKVRequest, bytes);
      if (request === undefined) return;
      const result = await source.hashKeyValues(request.revision);
      if (typeof result === 'string') failCall(call, result);
      else
        replyMessage(
          call,
          etcdserverpb.HashKVResponse,
          etcdserverpb.HashKVResponse.create({ header: makeHeader(member), ...result }),
        );
    }),
  );
  server.registerUnary(
    methods.Defragment.path,
    serve(false, async (call) => {
      await source.defragment();
      replyMessage(call, etcdserverpb.DefragmentResponse, etcdserverpb.DefragmentResponse.create());
    }),
  );
  server.registerUnary(
    methods.MoveLeader.path,
    serve(false, (call, bytes) => answerMoveLeader(call, bytes, member, source)),
  );
  server.registerStream(methods.Snapshot.path, (call) => {
    if (refuseCall(call, member, true)) return;
    call.onMessage(() => {});
    call.onEnd(() => {});
    sendSnapshot(call, source).catch((error: unknown) => failUnexpectedly(call, member, error));
  });
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

function answerAlarm(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: MaintenanceSource): void {
  if (decodeRequest(call, etcdserverpb.AlarmRequest, bytes) === undefined) return;
  source.proposeAlarm(
    bytes,
    (alarms) => {
      const response = etcdserverpb.AlarmResponse.create({ header: makeHeader(member), alarms: [...alarms] });
      replyMessage(call, etcdserverpb.AlarmResponse, response);
    },
    (symbol) => failCall(call, symbol),
  );
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

/** Streams the database as of one moment, then the SHA-256 of all that was sent. */
async function sendSnapshot(call: StreamCall, source: MaintenanceSource): Promise<void> {
  const snapshot = await source.backend.snapshot();
  try {
    const behind = encodeSnapshotPart({ version: source.storageVersion() });
    const digest = source.sha256();
    let remaining = snapshot.sizeBytes;
    const send = async (blob: Uint8Array): Promise<boolean> => {
      // The blob goes out as it was read: only the fields around it are encoded.
      const before = encodeSnapshotPart({ remainingBytes: remaining });
      const tag = allocateUnsafe(fieldLength(blob.length) - blob.length);
      tag[0] = 0x1a;
      writeVarint(blob.length, tag, 1);
      if (!call.writeChunks([before, tag, blob, behind])) await drained(call);
      return !call.cancelled;
    };
    for await (const chunk of snapshot.chunks()) {
      digest.update(chunk);
      for (let start = 0; start < chunk.length; start += snapshotChunkBytes) {
        const blob = chunk.subarray(start, start + snapshotChunkBytes);
        remaining -= blob.length;
        if (!(await send(blob))) return;
      }
    }
    if (await send(copyBytes(digest.finish()))) call.end();
  } finally {
    snapshot.close();
  }
}

/** Some fields of a message of the snapshot; the parts of one message are put together in the order of the fields. */
function encodeSnapshotPart(fields: Partial<etcdserverpb.SnapshotResponse>): Uint8Array {
  return copyBytes(etcdserverpb.SnapshotResponse.encode(etcdserverpb.SnapshotResponse.create(fields)));
}

/** Resolves when the stream takes more, or is over. */
function drained(call: StreamCall): Promise<void> {
  return new Promise((resolve) => {
    call.onDrain(resolve);
    call.onCancel(resolve);
  });
}
