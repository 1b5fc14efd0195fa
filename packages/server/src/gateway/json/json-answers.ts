import { httpStatusOf, type MessageCodec, toJson } from '@quorate/api';
import { GrpcStatus } from '@quorate/transport';
import type { HeaderList, HttpAnswer } from '../http-types.ts';

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

/** A line of a stream: JSON that may stand inside a page's script, as Go's encoder writes it. */
function lineOf(value: object): string {
  const text = JSON.stringify(value);
  return `${text.replace(/[<>&\u2028\u2029]/g, (character) => escapesInLines[character] as string)}\n`;
}

export function resultLine(type: MessageCodec<object>, bytes: Uint8Array): string {
  return lineOf({ result: toJson(type, type.decode(bytes)) });
}

export function errorLine(code: number, message: string): string {
  return lineOf({ error: { code, message } });
}
