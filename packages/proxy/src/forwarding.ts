import type { AnyMethod } from '@quorate/api';
import { copyBytes } from '@quorate/base';
import { type Call, type GrpcServer, GrpcStatus, type StreamCall, type UnaryCall } from '@quorate/transport';
import type { CallerMetadata } from './caller-metadata.ts';
import type { Upstream, UpstreamOptions } from './upstream.ts';

/** What services of the proxy share. */
export interface ProxyContext {
  readonly upstream: Upstream;
  readonly callers: CallerMetadata;
  nowMs(): number;
}

/** Metadata and what is left of the caller's time. */
export function optionsOf(call: Call, { callers, nowMs }: ProxyContext): UpstreamOptions {
  const metadata = callers.of(call.metadata);
  if (call.deadlineMs === Number.POSITIVE_INFINITY) return { metadata };
  return { metadata, timeoutMs: Math.max(call.deadlineMs - nowMs(), 1) };
}

/** Hears a unary call's answer; it belongs to the callee. */
export type OnAnswer = (answer: Uint8Array) => void;

/** Sends `request`, which nobody changes any more, on behalf of a call; every failure is passed on to the caller. */
export function askUpstream(context: ProxyContext, call: UnaryCall, request: Uint8Array, onAnswer: OnAnswer): void {
  const asked = context.upstream.unary(call.path, request, optionsOf(call, context), (code, message, answer) => {
    if (answer !== null) onAnswer(answer);
    else call.fail(code, message);
  });
  call.onCancel(() => asked.cancel());
}

/** Passes unary calls on as they are. */
export function forwardUnary(server: GrpcServer, context: ProxyContext, path: string): void {
  server.registerUnary(path, (call, message) => {
    askUpstream(context, call, copyBytes(message), (answer) => call.replyChunks([answer]));
  });
}

/** Passes the messages of stream calls on as they are, each side held back by the other's pace. */
export function forwardStream(server: GrpcServer, context: ProxyContext, method: AnyMethod): void {
  const type = method.clientStreaming ? 'bidi_stream' : 'server_stream';
  server.registerStream(method.path, (call) => relay(call, context), type);
}

function relay(call: StreamCall, context: ProxyContext): void {
  const upstream = context.upstream.stream(call.path, optionsOf(call, context));
  call.onMessage((message) => {
    if (!upstream.write(message)) call.pause();
  });
  upstream.onDrain(() => call.resume());
  call.onEnd(() => upstream.end());
  call.onCancel(() => upstream.cancel());
  upstream.onMessage((message) => {
    if (!call.write(message)) upstream.pause();
  });
  call.onDrain(() => upstream.resume());
  upstream.onEnd(({ code, message }) => {
    if (code === GrpcStatus.ok) call.end();
    else call.fail(code, message);
  });
}
