import { decodeBase64, encodeBase64 } from '@quorate/api';
import { type Clock, type Logger, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import type { Identity } from '@quorate/machine';
import type { Granted, Issued, TokenProvider } from './token-provider.ts';

/** The keys of a member's tokens. */
export interface JwtKeys {
  /** As the header names it, for example `RS256`. */
  readonly algorithm: string;
  /** Undefined where only the public key is known. */
  readonly sign: ((content: Uint8Array) => Uint8Array) | undefined;
  verify(content: Uint8Array, signature: Uint8Array): boolean;
}

interface Verified {
  readonly identity: Identity;
  /** Seconds since the Unix epoch; a token without limit has none. */
  readonly from: number;
  readonly until: number;
}

/** Tokens whose signature is remembered as checked. */
const verifiedMax = 1_000;

/** JSON Web Tokens (RFC 7519): they say themselves whose they are and as of which auth revision, so no member has to remember them. */
export class JwtTokens implements TokenProvider {
  private readonly deps: { readonly clock: Clock; readonly logger: Logger };
  private readonly keys: JwtKeys;
  private readonly ttlMs: number;
  /** The longest unused first. */
  private readonly verified = new Map<string, Verified>();

  constructor(deps: { readonly clock: Clock; readonly logger: Logger }, keys: JwtKeys, ttlMs: number) {
    this.deps = deps;
    this.keys = keys;
    this.ttlMs = ttlMs;
  }

  drawPrefix(): string {
    return '';
  }

  issue({ username, authRevision }: Granted): Issued {
    const { algorithm, sign } = this.keys;
    if (sign === undefined) return { refused: 'VerifyOnlyKey' };
    const exp = Math.floor((this.deps.clock.wallMs() + this.ttlMs) / 1000);
    const header = encodePart(JSON.stringify({ alg: algorithm, typ: 'JWT' }));
    const content = `${header}.${encodePart(JSON.stringify({ exp, revision: authRevision, username }))}`;
    return { token: `${content}.${encodeUrl(sign(utf8ToBytes(content)))}` };
  }

  entryOf(): number {
    return 0;
  }

  identify(token: string): Identity | undefined {
    const found = this.verified.get(token) ?? this.read(token);
    if (found === undefined) return undefined;
    this.verified.delete(token);
    const now = this.deps.clock.wallMs() / 1000;
    if (now >= found.until || now < found.from) return undefined;
    this.verified.set(token, found);
    if (this.verified.size > verifiedMax) this.verified.delete(this.verified.keys().next().value as string);
    return found.identity;
  }

  granted(): void {}

  userInvalidated(): void {}

  allInvalidated(): void {}

  private read(token: string): Verified | undefined {
    const parts = token.split('.');
    const [header = '', payload = '', signature = ''] = parts;
    if (parts.length !== 3 || decodeObject(header)?.alg !== this.keys.algorithm) return undefined;
    const signed = decodeBase64(signature);
    if (signed === undefined || !this.keys.verify(utf8ToBytes(`${header}.${payload}`), signed)) return undefined;
    const claims = decodeObject(payload);
    const { username, revision, exp = Number.POSITIVE_INFINITY, nbf = 0 } = claims ?? {};
    // Whoever signed it, both must fit into an entry.
    if (typeof username !== 'string' || /\p{Surrogate}/u.test(username)) return undefined;
    if (!Number.isSafeInteger(revision) || (revision as number) < 0) return undefined;
    if (typeof exp !== 'number' || typeof nbf !== 'number') return undefined;
    return { identity: { username, authRevision: revision as number }, from: nbf, until: exp };
  }
}

function encodePart(text: string): string {
  return encodeUrl(utf8ToBytes(text));
}

/** The URL alphabet without padding (RFC 7515, section 2). */
function encodeUrl(bytes: Uint8Array): string {
  return encodeBase64(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

function decodeObject(part: string): Record<string, unknown> | undefined {
  const bytes = decodeBase64(part);
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(utf8FromBytes(bytes));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // Not JSON: no token of ours.
    return undefined;
  }
}
