import { type AnyMethod, allMethods } from '@quorate/api';
import type { Clock } from '@quorate/base';
import { GrpcStatus, type LocalClient } from '@quorate/transport';
import { type HttpAnswer, type HttpRequest, splitTarget } from '../http-types.ts';
import { sendStatus } from './json-answers.ts';
import { metadataOf, timeoutOf } from './request-metadata.ts';
import { serveStream } from './stream-exchange.ts';
import { serveUnary } from './unary-exchange.ts';

export interface JsonGatewayOptions {
  /** Largest message that the member takes. */
  readonly messageBytesMax: number;
}

/** What a request becomes. */
export interface GatewayCall {
  readonly method: AnyMethod;
  readonly client: LocalClient;
  readonly clock: Clock;
  readonly metadata: readonly (readonly [string, string])[];
  /** Infinity without a deadline. */
  readonly timeoutMs: number;
  /** Longest JSON text of one request message. */
  readonly jsonBytesMax: number;
}

/** JSON text may spell each character of a message as `\u0041`. */
const jsonPerMessageByte = 6;
/** For names, numbers and braces around small values. */
const jsonSlackBytes = 64 * 1024;

/** Serves `/v3/`: the gRPC methods as JSON over HTTP, each request a call of the same server. */
export class JsonGateway {
  private readonly client: LocalClient;
  private readonly clock: Clock;
  private readonly jsonBytesMax: number;
  private readonly methods = new Map<string, AnyMethod>();

  constructor(client: LocalClient, clock: Clock, options: JsonGatewayOptions) {
    this.client = client;
    this.clock = clock;
    this.jsonBytesMax = options.messageBytesMax * jsonPerMessageByte + jsonSlackBytes;
    for (const method of allMethods) {
      for (const { path } of method.http) this.methods.set(path, method);
    }
  }

  serve(request: HttpRequest, answer: HttpAnswer): void {
    const method = this.methods.get(splitTarget(request.target).path);
    if (method === undefined) {
      sendStatus(answer, GrpcStatus.notFound, 'Not Found');
    } else if (request.method !== 'POST') {
      sendStatus(answer, GrpcStatus.unimplemented, 'Method Not Allowed');
    } else {
      const timeoutMs = timeoutOf(request);
      if (timeoutMs === undefined) {
        const text = request.headers.get('grpc-timeout') as string;
        sendStatus(answer, GrpcStatus.invalidArgument, `invalid grpc-timeout: ${text}`);
        return;
      }
      const { client, clock, jsonBytesMax } = this;
      const call = { method, client, clock, metadata: metadataOf(request), timeoutMs, jsonBytesMax };
      if (method.serverStreaming) serveStream(call, request, answer);
      else serveUnary(call, request, answer);
    }
  }
}
