import { etcdserverpb, services } from '@quorate/api';
import type { WatchHub, WatchOutput } from '@quorate/machine';
import type { GrpcServer, StreamCall } from '@quorate/transport';
import { decodeRequest, failCall } from './answers.ts';
import type { MemberContext } from './member-context.ts';
import { needsLeader, refuseStream } from './preconditions.ts';

/** Serves etcdserverpb.Watch: frames what the hub's streams say and feeds them what clients ask. */
export function registerWatch(server: GrpcServer, member: MemberContext, hub: WatchHub): void {
  server.registerStream(services.Watch.methods.Watch.path, (call) => {
    if (!refuseStream(call, member)) serveWatch(call, member, hub);
  });
}

function outputOf(call: StreamCall): WatchOutput {
  return {
    send: (head, body) => call.writeShared(head, body),
    onDrain: (callback) => call.onDrain(callback),
  };
}

function serveWatch(call: StreamCall, member: MemberContext, hub: WatchHub): void {
  const output = outputOf(call);
  let paused = false;
  const stream = hub.openStream({
    send: output.send,
    onDrain: (callback) =>
      output.onDrain(() => {
        callback();
        if (paused && !stream.isBacklogged) {
          paused = false;
          call.resume();
        }
      }),
  });
  const endWatching = member.streams.add((symbol) => {
    stream.close();
    failCall(call, symbol);
  }, needsLeader(call));
  call.onMessage((bytes) => {
    const request = decodeRequest(call, etcdserverpb.WatchRequest, bytes);
    if (request === undefined) {
      stream.close();
      endWatching();
      return;
    }
    let roomLeft = true;
    if (request.createRequest !== undefined) roomLeft = stream.create(request.createRequest);
    else if (request.cancelRequest !== undefined) roomLeft = stream.cancel(request.cancelRequest.watchId);
    else if (request.progressRequest !== undefined) roomLeft = stream.requestProgress();
    if (!roomLeft && !paused) {
      paused = true;
      call.pause();
    }
  });
  // A client that has half-closed still gets events, until it cancels the call (semantics 4.5).
  call.onEnd(() => {});
  call.onCancel(() => {
    stream.close();
    endWatching();
  });
  call.sendHeaders();
}
