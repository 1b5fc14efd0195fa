import { sortedUrls } from './member.ts';

/**
 * Checks the peer URLs of a MemberAdd as etcd does: at least one; `http` or `https` with host and port and no path, or
 * `unix`/`unixs`.
 * @returns them trimmed and sorted; undefined when one is bad.
 */
export function checkPeerUrls(urls: readonly string[]): string[] | undefined {
  const checked: string[] = [];
  for (const url of urls) {
    const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#\s]*)([^\s]*)$/.exec(url.trim());
    if (match === null) return undefined;
    const [, scheme, host, rest] = match as unknown as [string, string, string, string];
    const name = scheme.toLowerCase();
    if (name === 'http' || name === 'https') {
      if (rest.startsWith('/') || !isHostAndPort(host)) return undefined;
    } else if (name !== 'unix' && name !== 'unixs') return undefined;
    checked.push(`${name}://${host}${rest}`);
  }
  return checked.length === 0 ? undefined : sortedUrls(checked);
}

function isHostAndPort(host: string): boolean {
  return /^(?:[^:[\]]*|\[[^[\]]*\]):[0-9]*$/.test(host.slice(host.lastIndexOf('@') + 1));
}
