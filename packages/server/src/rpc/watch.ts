import { type ErrorSymbol, errors, etcdserverpb, grpcStatusName, services } from '@quorate/api';
import { copyBytes } from '@quorate/base';
import type { WatchCreate, WatchHub, WatchOutput } from '@quorate/machine';
import type { GrpcServer, StreamCall } from '@quorate/transport';
import { decodeRequest, failCall } from './answers.ts';
import type { MemberContext } from './member-context.ts';
import { needsLeader, refuseStream } from './preconditions.ts';
import { type RequestSpan, type RequestSpans, watchAttributes } from './request-spans.ts';

/** Serves etcdserverpb.Watch: frames what the hub's streams say and feeds them what clients ask. */
export function registerWatch(server: GrpcServer, member: MemberContext, hub: WatchHub): void {
  server.registerStream(services.Watch.methods.Watch.path, (call) => {
    if (!refuseStream(call, member)) serveWatch(call, member, hub);
  });
}

function outputOf(call: StreamCall): WatchOutput {
  return {
    send: (head, body) => call.writeShared(head, body),
    hasRoom: () => call.hasRoom(),
    onDrain: (callback) => call.onDrain(callback),
  };
}

/** Texts that Go clients know; any other refusal is told as a denial. */
const toldRefusals: ReadonlySet<ErrorSymbol> = new Set([
  'ErrGRPCInvalidAuthToken',
  'ErrGRPCAuthOldRevision',
  'ErrGRPCUserEmpty',
]);

/** Why the caller may not watch these keys, judged by the range end as it was sent (GHSA-xg4h-6gfc-h4m8). */
function refuseWatch(call: StreamCall, member: MemberContext, key: Uint8Array, rangeEnd: Uint8Array) {
  const { access } = member;
  const refused = access.refusal(call, (identity) => access.permissions.checkRange(identity, key, rangeEnd));
  if (refused === undefined) return undefined;
  const { sentCode, message } = errors[toldRefusals.has(refused) ? refused : 'ErrGRPCPermissionDenied'];
  return `rpc error: code = ${grpcStatusName(sentCode)} desc = ${message}`;
}

function serveWatch(call: StreamCall, member: MemberContext, hub: WatchHub): void {
  const output = outputOf(call);
  let paused = false;
  const authorize = (key: Uint8Array, rangeEnd: Uint8Array) => refuseWatch(call, member, key, rangeEnd);
  const spans = member.spans === undefined ? undefined : new WatchSpans(member.spans, call);
  const stream = hub.openStream(
    {
      send: output.send,
      hasRoom: output.hasRoom,
      onDrain: (callback) =>
        output.onDrain(() => {
          callback();
          if (paused && !stream.isBacklogged) {
            paused = false;
            call.resume();
          }
        }),
    },
    { authorize, ...(spans === undefined ? {} : { onCreated: (id, request) => spans.created(id, request) }) },
  );
  /** Requests that came before the entry that made the caller's token. */
  let early: Uint8Array[] | undefined;
  const close = () => {
    early = undefined;
    stream.close();
  };
  const endWatching = member.streams.add((symbol) => {
    close();
    failCall(call, symbol);
  }, needsLeader(call));
  const take = (bytes: Uint8Array) => {
    const request = decodeRequest(call, etcdserverpb.WatchRequest, bytes);
    if (request === undefined) {
      stream.close();
      endWatching();
      return;
    }
    let roomLeft = true;
    if (request.createRequest !== undefined) roomLeft = stream.create(request.createRequest);
    else if (request.cancelRequest !== undefined) {
      roomLeft = stream.cancel(request.cancelRequest.watchId);
      spans?.cancelled(request.cancelRequest.watchId);
    } else if (request.progressRequest !== undefined) roomLeft = stream.requestProgress();
    if (!roomLeft && !paused) {
      paused = true;
      call.pause();
    }
  };
  const goOn = () => {
    const requests = early ?? [];
    early = undefined;
    call.resume();
    requests.forEach(take);
  };
  call.onMessage((bytes) => {
    if (early === undefined && member.access.waits(call, goOn)) {
      early = [];
      call.pause();
    }
    if (early === undefined) take(bytes);
    else early.push(copyBytes(bytes));
  });
  // A client that has half-closed still gets events, until it cancels the call (semantics 4.5).
  call.onEnd(() => {});
  call.onCancel(() => {
    close();
    endWatching();
  });
  call.sendHeaders();
}

/** A span for each watch of a stream, from its creation until the client cancels it or the stream ends. */
class WatchSpans {
  private readonly spans: RequestSpans;
  private readonly call: StreamCall;
  private readonly open = new Map<number, RequestSpan>();

  constructor(spans: RequestSpans, call: StreamCall) {
    this.spans = spans;
    this.call = call;
  }

  created(id: number, request: WatchCreate): void {
    const span = this.spans.begin(this.call, 'watch', request, watchAttributes);
    if (span !== undefined) this.open.set(id, span);
  }

  cancelled(id: number): void {
    this.open.get(id)?.end();
    this.open.delete(id);
  }
}
