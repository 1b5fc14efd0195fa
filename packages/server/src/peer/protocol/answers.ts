import { utf8FromBytes } from '@quorate/base';
import type { PeerAnswer } from '../peer-edge.ts';

export type WholeAnswer = PeerAnswer & { readonly kind: 'whole' };
export type Headers = Readonly<Record<string, string>>;

const noHeaders: Headers = {};

/** An error as Go's servers write it: the text and a line feed. */
export function plainError(status: number, text: string, headers: Headers = noHeaders): WholeAnswer {
  const typed = { ...headers, 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' };
  return { kind: 'whole', status, headers: typed, body: `${text}\n` };
}

/** @param allow the method that is; left out where etcd leaves it out */
export function methodNotAllowed(allow?: string): WholeAnswer {
  return plainError(405, 'Method Not Allowed', allow === undefined ? noHeaders : { Allow: allow });
}

export function notFound(): WholeAnswer {
  return plainError(404, '404 page not found');
}

export function jsonAnswer(body: string, headers: Headers = noHeaders): WholeAnswer {
  return { kind: 'whole', status: 200, headers: { ...headers, 'Content-Type': 'application/json' }, body };
}

/** What goes wrong in ways no caller is told about. */
export function internalError(headers: Headers = noHeaders): WholeAnswer {
  return { ...jsonAnswer('{"message":"Internal Server Error"}', headers), status: 500 };
}

/** The text of a plain error. */
export function errorText(body: Uint8Array): string {
  return utf8FromBytes(body).replace(/\n$/, '');
}

/** The text of whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
