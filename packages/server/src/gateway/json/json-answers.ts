import { httpStatusOf, type MessageCodec, toJson } from '@quorate/api';
import { type Clock, concatBytes, utf8ToBytes } from '@quorate/base';
import { GrpcStatus } from '@quorate/transport';
import type { HeaderList, HttpAnswer } from '../http-types.ts';
import { jsonPieces } from './sliced-json.ts';

const jsonType = ['Content-Type', 'application/json'] as const;

/** Headers of an answer with a message. */
export const messageHeaders: HeaderList = [jsonType, ['Grpc-Metadata-Content-Type', 'application/grpc']];

/** Headers of an answer with an error. */
export function errorHeaders(code: number, message: string): HeaderList {
  return code === GrpcStatus.unauthenticated ? [jsonType, ['WWW-Authenticate', message]] : [jsonType];
}

/** Answers with an error alone. */
export function sendStatus(answer: HttpAnswer, code: number, message: string): void {
  answer.send(httpStatusOf(code), errorHeaders(code, message), JSON.stringify({ code, message }));
}

const escapesInLines: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** JSON that may stand inside a page's script, as Go's encoder writes lines. */
function escapeLine(text: string): string {
  return text.replace(/[<>&\u2028\u2029]/g, (character) => escapesInLines[character] as string);
}

/** A line of a stream. */
function lineOf(value: object): string {
  return `${escapeLine(JSON.stringify(value))}\n`;
}

export function resultLine(type: MessageCodec<object>, bytes: Uint8Array): string {
  return lineOf({ result: toJson(type, type.decode(bytes)) });
}

/** The same of a large message, without holding the loop. */
export async function largeResultLine(
  type: MessageCodec<object>,
  bytes: Uint8Array,
  clock: Clock,
): Promise<Uint8Array> {
  const pieces = await jsonPieces(type, bytes, clock, escapeLine);
  return concatBytes([utf8ToBytes('{"result":'), ...pieces, utf8ToBytes('}\n')]);
}

export function errorLine(code: number, message: string): string {
  return lineOf({ error: { code, message } });
}
