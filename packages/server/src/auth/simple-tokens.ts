import { type Clock, nextBelow, type Random } from '@quorate/base';
import type { Identity } from '@quorate/machine';
import type { Granted, Issued, TokenProvider } from './token-provider.ts';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const prefixLength = 16;
const form = /^[^.]*\.(\d{1,20})$/;

interface Known {
  readonly username: string;
  readonly expiryMs: number;
}

/**
 * Tokens that are nothing but names: sixteen random letters and the number of a log entry. Every member that applied the entry knows
 * them, in memory alone, until they have not been used there for a while.
 */
export class SimpleTokens implements TokenProvider {
  private readonly deps: { readonly clock: Clock; readonly random: Random };
  private readonly ttlMs: number;
  /** The next to expire first: each use puts a token last. */
  private readonly known = new Map<string, Known>();

  constructor(deps: { readonly clock: Clock; readonly random: Random }, ttlMs: number) {
    this.deps = deps;
    this.ttlMs = ttlMs;
  }

  /** Tokens that are kept, some of which may have expired. */
  get size(): number {
    return this.known.size;
  }

  drawPrefix(): string {
    return Array.from({ length: prefixLength }, () => letters[nextBelow(this.deps.random, letters.length)]).join('');
  }

  issue({ simpleToken }: Granted): Issued {
    return { token: simpleToken };
  }

  entryOf(token: string): number {
    return Number(form.exec(token)?.[1] ?? 0);
  }

  identify(token: string, authRevision: number): Identity | undefined {
    const found = this.known.get(token);
    if (found === undefined) return undefined;
    this.known.delete(token);
    if (found.expiryMs <= this.deps.clock.nowMs()) return undefined;
    this.keep(found.username, token);
    return { username: found.username, authRevision };
  }

  granted(username: string, token: string): void {
    this.dropExpired();
    this.keep(username, token);
  }

  userInvalidated(username: string): void {
    for (const [token, known] of this.known) if (known.username === username) this.known.delete(token);
  }

  allInvalidated(): void {
    this.known.clear();
  }

  private keep(username: string, token: string): void {
    this.known.set(token, { username, expiryMs: this.deps.clock.nowMs() + this.ttlMs });
  }

  private dropExpired(): void {
    const nowMs = this.deps.clock.nowMs();
    for (const [token, { expiryMs }] of this.known) {
      if (expiryMs > nowMs) return;
      this.known.delete(token);
    }
  }
}
