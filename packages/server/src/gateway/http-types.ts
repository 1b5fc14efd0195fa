/** Names as they are written on the wire of HTTP/1 (the edge lowers them for HTTP/2), values as latin1 text. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** Headers of a request, names in lower case. The host of HTTP/2's `:authority` is `host` here, too. */
export interface RequestHeaders {
  /** The first value. */
  get(name: string): string | undefined;
  entries(): Iterable<readonly [name: string, value: string]>;
}

/** A body as it arrives. Who wants it sets both callbacks in the turn in which it gets the request; else it is dropped. */
export interface RequestBody {
  /** The chunk is the receiver's. */
  onData(callback: (chunk: Uint8Array) => void): void;
  onEnd(callback: () => void): void;
  pause(): void;
  resume(): void;
}

/** A request over HTTP, whatever its version. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly headers: RequestHeaders;
  readonly body: RequestBody;
  /** True over TLS. */
  readonly secure: boolean;
  /** `host:port`, or the path of a unix socket. */
  readonly remoteAddress: string;
  /** The common name of the client's verified certificate; empty without. */
  readonly commonName: string;
}

/** Bounds what a connection that carries several requests at a time holds back; see `whenRoom` and `hold` of a gRPC call. */
export interface AnswerRoom {
  whenRoom(callback: () => void): void;
  hold(bytes: number): void;
}

/** Where the answer goes. After the end, or when the client has gone, every method does nothing. */
export interface HttpAnswer {
  /** Undefined where requests of a connection come one by one. */
  readonly room: AnswerRoom | undefined;
  /** A whole answer. */
  send(status: number, headers: HeaderList, body: string | Uint8Array): void;
  /** A whole answer that is large, in pieces of some ten KiB: sent as fast as the client takes them. */
  sendPieces(status: number, headers: HeaderList, pieces: readonly Uint8Array[]): void;
  /** The head of an answer that `write` and `end` go on with. */
  begin(status: number, headers: HeaderList): void;
  /** Sent at once. False: wait for `onDrain` before the next (it is sent all the same). */
  write(text: string | Uint8Array): boolean;
  end(): void;
  onDrain(callback: () => void): void;
  /** Calls back when the client has gone before the end; at once if it already has. */
  onClose(callback: () => void): void;
}

/** Answers requests. */
export type HttpHandler = (request: HttpRequest, answer: HttpAnswer) => void;

export interface SplitTarget {
  readonly path: string;
  readonly query: string;
}

export function splitTarget(target: string): SplitTarget {
  const split = target.indexOf('?');
  return split < 0 ? { path: target, query: '' } : { path: target.slice(0, split), query: target.slice(split + 1) };
}

/** As Go's server answers errors in plain text. */
export function sendError(answer: HttpAnswer, status: number, text: string, extra: HeaderList = []): void {
  answer.send(
    status,
    [...extra, ['Content-Type', 'text/plain; charset=utf-8'], ['X-Content-Type-Options', 'nosniff']],
    `${text}\n`,
  );
}

/** Refuses whatever is not a GET. @returns true when it has. */
export function refuseMethod(request: HttpRequest, answer: HttpAnswer): boolean {
  if (request.method === 'GET') return false;
  sendError(answer, 405, 'Method Not Allowed', [['Allow', 'GET']]);
  return true;
}

export const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Sees to it that what cannot be answered is: while a member stops, looking at it may fail. */
export function answerFrom(answered: Promise<void>, answer: HttpAnswer): void {
  answered.catch((error: unknown) => sendError(answer, 500, errorText(error)));
}
