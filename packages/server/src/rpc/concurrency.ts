import { type Method, services, v3electionpb } from '@quorate/api';
import { copyBytes } from '@quorate/base';
import { Cancellation, type GrpcServer, GrpcStatus, GrpcStatusError, type StreamCall } from '@quorate/transport';
import { campaign, observe, presentLeader, proclaim, resign } from '../concurrency/election.ts';
import { LocalCalls } from '../concurrency/local-calls.ts';
import { lock, unlock } from '../concurrency/lock.ts';
import { decodeRequest, replyMessage, writeMessage } from './answers.ts';
import type { MemberContext } from './member-context.ts';
import { refuseCall, refuseStream } from './preconditions.ts';

/**
 * Serves v3lockpb.Lock and v3electionpb.Election: clients of this member within it, with the caller's metadata. Whatever goes wrong has code
 * Unknown and the text of what went wrong.
 */
export function registerConcurrency(server: GrpcServer, member: MemberContext): void {
  const { Lock, Unlock } = services.Lock.methods;
  const { Campaign, Proclaim, Resign, Leader, Observe } = services.Election.methods;
  serveUnary(server, member, Lock, lock);
  serveUnary(server, member, Unlock, unlock);
  serveUnary(server, member, Campaign, campaign);
  serveUnary(server, member, Proclaim, proclaim);
  serveUnary(server, member, Resign, resign);
  serveUnary(server, member, Leader, presentLeader);
  server.registerStream(Observe.path, (call) => {
    if (!refuseStream(call, member)) serveObserve(server, call);
  });
}

function serveUnary<Q extends object, A extends object>(
  server: GrpcServer,
  member: MemberContext,
  method: Method<Q, A>,
  work: (calls: LocalCalls, request: Q, cancellation: Cancellation) => Promise<Omit<A, 'unknown'>>,
): void {
  server.registerUnary(method.path, (call, bytes) => {
    const request = decodeRequest(call, method.request, copyBytes(bytes));
    if (request === undefined || refuseCall(call, member, false)) return;
    const cancellation = new Cancellation();
    call.onCancel(() => cancellation.cancel());
    work(new LocalCalls(server.local, call), request, cancellation).then(
      (answer) => replyMessage(call, method.response, method.response.create(answer as A)),
      (error: unknown) => call.fail(GrpcStatus.unknown, textOf(error)),
    );
  });
}

function serveObserve(server: GrpcServer, call: StreamCall): void {
  const cancellation = new Cancellation();
  let isAsked = false;
  call.onCancel(() => cancellation.cancel());
  call.onEnd(() => {});
  call.onMessage((bytes) => {
    if (isAsked) return;
    isAsked = true;
    const request = decodeRequest(call, v3electionpb.LeaderRequest, copyBytes(bytes));
    if (request === undefined) return;
    const calls = new LocalCalls(server.local, call);
    const told = observe(calls, request, cancellation, (header, kv, flow) => {
      const answer = v3electionpb.LeaderResponse.create({ header, kv });
      const hasRoom = writeMessage(call, v3electionpb.LeaderResponse, answer);
      if (!hasRoom) call.onDrain(() => flow.resume());
      return hasRoom;
    });
    told.then(
      () => call.end(),
      (error: unknown) => call.fail(GrpcStatus.unknown, textOf(error)),
    );
  });
  call.sendHeaders();
}

function textOf(error: unknown): string {
  return error instanceof GrpcStatusError ? error.details : (error as Error).message;
}
