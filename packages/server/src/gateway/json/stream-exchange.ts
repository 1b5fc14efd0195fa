import { httpStatusOf, JsonError } from '@quorate/api';
import { GrpcStatus, GrpcStatusError, type LocalStream } from '@quorate/transport';
import type { HttpAnswer, HttpRequest, RequestBody } from '../http-types.ts';
import { errorHeaders, errorLine, largeResultLine, messageHeaders, resultLine } from './json-answers.ts';
import type { GatewayCall } from './json-gateway.ts';
import { requestFromJson } from './json-requests.ts';
import { wholeBytesMax } from './sliced-json.ts';
import { gather, takeRequest } from './unary-exchange.ts';
import { ValueSplitter } from './value-splitter.ts';

/** A call that answers with a stream: each message is a line, sent as soon as it is there. */
export function serveStream(call: GatewayCall, request: HttpRequest, answer: HttpAnswer): void {
  if (call.method.clientStreaming) {
    const stream = openStream(call, answer);
    if (stream !== undefined) sendRequests(call, request.body, stream);
    return;
  }
  gather(request.body, answer.room, call.jsonBytesMax, (body) => {
    const message = takeRequest(call, body, answer);
    if (message === undefined) return;
    const stream = openStream(call, answer);
    stream?.write(message);
    stream?.end();
  });
}

/** Opens the call and lets its answers out; undefined when it could not be opened, which has been said. */
function openStream(call: GatewayCall, answer: HttpAnswer): LocalStream | undefined {
  const { method, client, clock, metadata, timeoutMs } = call;
  const lines = new AnswerLines(answer);
  let stream: LocalStream;
  try {
    stream = client.stream(method.path, { metadata, timeoutMs });
  } catch (error) {
    if (!(error instanceof GrpcStatusError)) throw error;
    lines.end(error.code, error.details);
    return undefined;
  }
  stream.onMessage((message) => {
    if (message.length <= wholeBytesMax) {
      if (!lines.write(resultLine(method.response, message))) stream.pause();
      return;
    }
    stream.pause();
    largeResultLine(method.response, message, clock).then(
      (line) => {
        if (lines.write(line)) stream.resume();
      },
      () => stream.cancel(),
    );
  });
  stream.onEnd(({ code, message }) => lines.end(code, message));
  answer.onDrain(() => stream.resume());
  answer.onClose(() => stream.cancel());
  return stream;
}

/** The lines of an answer; its head goes out with the first. */
class AnswerLines {
  private readonly answer: HttpAnswer;
  private hasBegun = false;

  constructor(answer: HttpAnswer) {
    this.answer = answer;
  }

  write(line: string | Uint8Array): boolean {
    if (!this.hasBegun) this.answer.begin(200, messageHeaders);
    this.hasBegun = true;
    return this.answer.write(line);
  }

  end(code: number, message: string): void {
    if (code !== GrpcStatus.ok) {
      if (!this.hasBegun) this.answer.begin(httpStatusOf(code), errorHeaders(code, message));
      this.answer.write(errorLine(code, message));
    } else if (!this.hasBegun) {
      this.answer.begin(200, []);
    }
    this.answer.end();
  }
}

/** Sends each JSON object of the body as it arrives. What is malformed counts as the end, which is not reported. */
function sendRequests(call: GatewayCall, body: RequestBody, stream: LocalStream): void {
  const splitter = new ValueSplitter(call.jsonBytesMax);
  let isOver = false;
  const finish = (): void => {
    isOver = true;
    stream.end();
  };
  stream.onDrain(() => body.resume());
  body.onData((chunk) => {
    if (isOver) return;
    const { values, isBroken } = splitter.take(chunk);
    for (const value of values) {
      const message = tryRequest(call, value);
      if (message === undefined) {
        finish();
        return;
      }
      if (!stream.write(message)) body.pause();
    }
    if (isBroken) finish();
  });
  body.onEnd(finish);
}

function tryRequest(call: GatewayCall, json: Uint8Array): Uint8Array | undefined {
  try {
    return requestFromJson(call.method.request, json);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return undefined;
  }
}
