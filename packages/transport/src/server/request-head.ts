import type { Counter } from '@quorate/base';
import { Metadata } from '../grpc/metadata.ts';
import { GrpcStatus } from '../grpc/status.ts';
import { parseGrpcTimeout } from '../grpc/timeout.ts';
import { FieldKind, type HeaderField } from '../hpack/header-field.ts';
import { Route, type RouteTable } from './route.ts';

/** What to do with a request. */
export const HeadVerdict = {
  /** Breaks RFC 9113 section 8: RST_STREAM with PROTOCOL_ERROR. */
  malformed: 0,
  /** A call of `route`. */
  grpc: 1,
  /** Not gRPC: for the fallback. */
  http: 2,
  /** gRPC that is answered at once with `code` and `message`. */
  rejected: 3,
} as const;

/** Request headers, looked through. Immutable, and shared between requests whose header blocks are the same bytes. */
export class RequestHead {
  verdict: number = HeadVerdict.malformed;
  method = '';
  path = '';
  authority = '';
  route: Route | null = null;
  /** Counts calls with these headers; found with the first. */
  counter: Counter | null = null;
  /** From grpc-timeout; Infinity without. */
  timeoutMs: number = Number.POSITIVE_INFINITY;
  gzip = false;
  /** Declared content-length, or -1. */
  contentLength = -1;
  /** For `rejected`. */
  httpStatus = 200;
  code = 0;
  message = '';
  /** True when the answer must say what encodings we take. */
  encodingUnsupported = false;
  readonly metadata: Metadata;

  constructor(fields: readonly HeaderField[]) {
    this.metadata = new Metadata(fields);
  }
}

function reject(head: RequestHead, httpStatus: number, code: number, message: string): RequestHead {
  head.verdict = HeadVerdict.rejected;
  head.httpStatus = httpStatus;
  head.code = code;
  head.message = message;
  return head;
}

/** True for `application/grpc`, alone or followed by `+…` or `;…`. */
function isGrpcContentType(value: string): boolean {
  if (!value.startsWith('application/grpc')) return false;
  const next = value.charCodeAt(16);
  return Number.isNaN(next) || next === 0x2b || next === 0x3b;
}

interface Seen {
  scheme: boolean;
  contentType: string;
  timeout: string;
  encoding: string;
}

/**
 * Reads and judges request headers.
 * @param gunzip whether gzip can be decompressed.
 */
export function readRequestHead(
  fields: readonly HeaderField[],
  count: number,
  routes: RouteTable,
  gunzip: boolean,
): RequestHead {
  const own = fields.slice(0, count);
  const head = new RequestHead(own);
  const seen: Seen = { scheme: false, contentType: '', timeout: '', encoding: '' };
  let pseudoOver = false;
  for (let i = 0; i < count; i++) {
    const field = own[i] as HeaderField;
    const kind = field.kind;
    if (kind >= FieldKind.method && kind <= FieldKind.status) {
      if (pseudoOver || !takePseudo(head, seen, field, routes)) return head;
      continue;
    }
    pseudoOver = true;
    if (kind !== FieldKind.regular && !takeRegular(head, seen, field)) return head;
  }
  if (head.method === '') return head;
  if (head.method !== 'CONNECT' && (!seen.scheme || head.path === '')) return head;
  return judge(head, seen, routes, gunzip);
}

/** False when the request is malformed: a pseudo-header twice, empty, or not for requests. */
function takePseudo(head: RequestHead, seen: Seen, field: HeaderField, routes: RouteTable): boolean {
  switch (field.kind) {
    case FieldKind.method:
      if (head.method !== '') return false;
      head.method = field.value;
      return true;
    case FieldKind.scheme:
      if (seen.scheme) return false;
      seen.scheme = true;
      return true;
    case FieldKind.path:
      if (head.path !== '' || field.value === '') return false;
      head.path = field.value;
      if (field.derived instanceof Route) {
        head.route = field.derived;
      } else {
        head.route = routes.get(field.value) ?? null;
        if (head.route !== null) field.derived = head.route;
      }
      return true;
    case FieldKind.authority:
      if (head.authority !== '') return false;
      head.authority = field.value;
      return true;
    default:
      return false;
  }
}

/** False when the request is malformed. */
function takeRegular(head: RequestHead, seen: Seen, field: HeaderField): boolean {
  switch (field.kind) {
    case FieldKind.contentType:
      seen.contentType = field.value;
      return true;
    case FieldKind.te:
      return field.value === 'trailers';
    case FieldKind.grpcTimeout:
      seen.timeout = field.value;
      return true;
    case FieldKind.grpcEncoding:
      seen.encoding = field.value;
      return true;
    case FieldKind.contentLength:
      if (!/^\d{1,15}$/.test(field.value)) return false;
      if (head.contentLength >= 0 && head.contentLength !== Number(field.value)) return false;
      head.contentLength = Number(field.value);
      return true;
    case FieldKind.grpcStatus:
    case FieldKind.grpcMessage:
      return true;
    default:
      // connectionSpecific, unknownPseudo, invalid
      return false;
  }
}

function judge(head: RequestHead, seen: Seen, routes: RouteTable, gunzip: boolean): RequestHead {
  if (!isGrpcContentType(seen.contentType)) {
    head.verdict = HeadVerdict.http;
    head.httpStatus = 415;
    head.code = GrpcStatus.invalidArgument;
    head.message = `invalid gRPC request content-type ${JSON.stringify(seen.contentType)}`;
    return head;
  }
  if (head.method !== 'POST') {
    const message = `Received a HEADERS frame with :method ${JSON.stringify(head.method)} which should be POST`;
    return reject(head, 405, GrpcStatus.internal, message);
  }
  if (seen.timeout !== '') {
    head.timeoutMs = parseGrpcTimeout(seen.timeout);
    if (Number.isNaN(head.timeoutMs)) {
      return reject(head, 400, GrpcStatus.internal, `malformed grpc-timeout: ${JSON.stringify(seen.timeout)}`);
    }
  }
  if (head.route === null) return reject(head, 200, GrpcStatus.unimplemented, routes.unknownMessage(head.path));
  if (seen.encoding !== '' && seen.encoding !== 'identity') {
    if (seen.encoding !== 'gzip' || !gunzip) {
      head.encodingUnsupported = true;
      const message = `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(seen.encoding)}`;
      return reject(head, 200, GrpcStatus.unimplemented, message);
    }
    head.gzip = true;
  }
  head.verdict = HeadVerdict.grpc;
  return head;
}
