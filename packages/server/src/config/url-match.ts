import { type Clock, delay, type Logger } from '@quorate/base';
import { parseMemberUrl } from './urls.ts';

/** Asks the name service. */
export interface HostResolver {
  /** The first IP address of a host name. Rejects when there is none. */
  resolve(host: string): Promise<string>;
}

export interface UrlMatcherDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly resolver: HostResolver;
}

/** Whether two sets of URLs are the same; else what speaks against it, in etcd's words. */
export type UrlMatch = { readonly isEqual: true } | { readonly isEqual: false; readonly detail: string };

/** Time for all look-ups of one comparison, and the pause before one that failed is made again. */
const resolveTimeoutMs = 30_000;
const retryMs = 1_000;

const equal: UrlMatch = { isEqual: true };

/**
 * Compares sets of peer URLs: by their text, and where that differs by the addresses behind their names. One object bounds the time of all
 * its look-ups together.
 */
export class UrlMatcher {
  private readonly deps: UrlMatcherDeps;
  private readonly deadlineMs: number;

  constructor(deps: UrlMatcherDeps) {
    this.deps = deps;
    this.deadlineMs = deps.clock.nowMs() + resolveTimeoutMs;
  }

  async match(a: readonly string[], b: readonly string[]): Promise<UrlMatch> {
    if (a.length !== b.length) return { isEqual: false, detail: `len(${quoteAll(a)}) != len(${quoteAll(b)})` };
    if (firstDifference(a, b) === undefined) return equal;
    const resolved: string[][] = [[], []];
    for (const [i, urls] of [a, b].entries()) {
      for (const url of urls) {
        const result = await this.resolve(url);
        if ('reason' in result)
          return { isEqual: false, detail: `failed to resolve ${JSON.stringify(url)} (${result.reason})` };
        resolved[i]?.push(result.url);
      }
    }
    const [left = [], right = []] = resolved;
    const difference = firstDifference(left, right);
    if (difference === undefined) return equal;
    const [one, other] = difference.map((url) => JSON.stringify(url));
    return { isEqual: false, detail: `resolved urls: ${one} != ${other}` };
  }

  private async resolve(url: string): Promise<{ readonly url: string } | { readonly reason: string }> {
    const { scheme, host, port } = parseMemberUrl(url);
    if (scheme === 'unix' || scheme === 'unixs' || host === 'localhost' || isAddress(host)) return { url };
    const { clock, logger, resolver } = this.deps;
    for (;;) {
      try {
        const address = await resolver.resolve(host);
        logger.info('resolved URL Host', { url, host, 'resolved-addr': address });
        return { url: `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}` };
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        logger.warn('failed to resolve URL Host', { url, host, 'retry-interval': '1s', error: reason });
        if (clock.nowMs() + retryMs > this.deadlineMs) return { reason };
        await delay(clock, retryMs);
      }
    }
  }
}

function firstDifference(a: readonly string[], b: readonly string[]): [string, string] | undefined {
  const right = [...b].sort();
  for (const [i, url] of [...a].sort().entries()) if (url !== right[i]) return [url, right[i] as string];
  return undefined;
}

function isAddress(host: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(host) || host.includes(':');
}

/** A list of strings as Go prints it with %q. */
function quoteAll(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(' ')}]`;
}
