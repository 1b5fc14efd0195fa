import { JsonError, toJson } from '@quorate/api';
import { concatBytes } from '@quorate/base';
import { Cancellation, GrpcStatus, GrpcStatusError } from '@quorate/transport';
import type { AnswerRoom, HttpAnswer, HttpRequest, RequestBody } from '../http-types.ts';
import { messageHeaders, sendStatus } from './json-answers.ts';
import type { GatewayCall } from './json-gateway.ts';
import { requestFromJson } from './json-requests.ts';
import { jsonPieces, wholeBytesMax } from './sliced-json.ts';

/** Gathers a body whole, as far as there is room. */
export function gather(
  body: RequestBody,
  room: HttpAnswer['room'],
  bytesMax: number,
  then: (whole: Uint8Array | undefined) => void,
): void {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  body.onData((chunk) => {
    const isOver = bytes > bytesMax;
    bytes += chunk.length;
    if (isOver) return;
    if (bytes > bytesMax) {
      then(undefined);
      return;
    }
    chunks.push(chunk);
    if (room !== undefined) takeRoom(room, bytes, body);
  });
  body.onEnd(() => {
    if (bytes <= bytesMax) then(concatBytes(chunks));
  });
}

/** What is gathered counts to what the connection holds back; when that is too much, the rest of the body waits. */
function takeRoom(room: AnswerRoom, bytes: number, body: RequestBody): void {
  room.hold(bytes);
  let hasRoom = false;
  room.whenRoom(() => {
    hasRoom = true;
    body.resume();
  });
  if (!hasRoom) body.pause();
}

/** The wire form of the one request in a body; answers and gives undefined when there is none. */
export function takeRequest(
  call: GatewayCall,
  body: Uint8Array | undefined,
  answer: HttpAnswer,
): Uint8Array | undefined {
  if (body === undefined) {
    sendStatus(answer, GrpcStatus.resourceExhausted, `the request is larger than ${call.jsonBytesMax} bytes`);
    return undefined;
  }
  try {
    return requestFromJson(call.method.request, body);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    sendStatus(answer, GrpcStatus.invalidArgument, error.message);
    return undefined;
  }
}

/** One request, one answer. */
export function serveUnary(call: GatewayCall, request: HttpRequest, answer: HttpAnswer): void {
  const cancellation = new Cancellation();
  answer.onClose(() => cancellation.cancel());
  gather(request.body, answer.room, call.jsonBytesMax, (body) => {
    const message = takeRequest(call, body, answer);
    if (message === undefined) return;
    const begin = () => void exchange(call, message, cancellation, answer);
    if (answer.room === undefined) begin();
    else answer.room.whenRoom(begin);
  });
}

async function exchange(
  call: GatewayCall,
  message: Uint8Array,
  cancellation: Cancellation,
  answer: HttpAnswer,
): Promise<void> {
  const { method, client, metadata, timeoutMs } = call;
  try {
    const reply = await client.unary(method.path, message, { metadata, timeoutMs, cancellation, room: answer.room });
    const { response } = method;
    if (reply.length > wholeBytesMax) {
      const pieces = await jsonPieces(response, reply, call.clock);
      answer.room?.hold(pieces.reduce((sum, piece) => sum + piece.length, 0));
      answer.sendPieces(200, messageHeaders, pieces);
    } else {
      answer.send(200, messageHeaders, JSON.stringify(toJson(response, response.decode(reply))));
    }
  } catch (error) {
    const { code, details } =
      error instanceof GrpcStatusError ? error : { code: GrpcStatus.internal, details: String(error) };
    sendStatus(answer, code, details);
  }
}
