import { hostWithoutPort } from '../access.ts';
import type { HttpRequest } from '../http-types.ts';

const metadataPrefix = 'grpc-metadata-';

/** Headers that HTTP itself defines: a call sees them with a prefix. All others stay here. */
const standardHeaders = new Set([
  'accept',
  'accept-charset',
  'accept-language',
  'accept-ranges',
  'authorization',
  'cache-control',
  'content-type',
  'cookie',
  'date',
  'expect',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-schedule-tag-match',
  'if-unmodified-since',
  'max-forwards',
  'origin',
  'pragma',
  'referer',
  'user-agent',
  'via',
  'warning',
]);

/** The metadata of the call that a request asks for. */
export function metadataOf(request: HttpRequest): [string, string][] {
  const metadata: [string, string][] = [];
  const forwardedFor: string[] = [];
  let forwardedHost = request.headers.get('host') ?? '';
  for (const [name, value] of request.headers.entries()) {
    if (name === 'authorization') metadata.push([name, value]);
    if (name === 'x-forwarded-for') forwardedFor.push(value);
    else if (name === 'x-forwarded-host') forwardedHost = value;
    else if (standardHeaders.has(name)) metadata.push([`grpcgateway-${name}`, value]);
    else if (name.startsWith(metadataPrefix) && name.length > metadataPrefix.length) {
      metadata.push([name.slice(metadataPrefix.length), value]);
    }
  }
  // A unix socket has no address to tell.
  if (request.remoteAddress.includes(':')) forwardedFor.push(hostWithoutPort(request.remoteAddress));
  if (forwardedHost !== '') metadata.push(['x-forwarded-host', forwardedHost]);
  if (forwardedFor.length > 0) metadata.push(['x-forwarded-for', forwardedFor.join(', ')]);
  return metadata;
}

const unitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** The time a request gives its call in `Grpc-Timeout`: milliseconds, Infinity when there is none, undefined when it is malformed. */
export function timeoutOf(request: HttpRequest): number | undefined {
  const text = request.headers.get('grpc-timeout') ?? '';
  if (text === '') return Number.POSITIVE_INFINITY;
  const [, digits, unit = ''] = /^(\d+)([HMSmun])$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const timeoutMs = Number(digits) * (unitsMs[unit] as number);
  // No time at all means no deadline.
  return timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs;
}
