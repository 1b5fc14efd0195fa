import { CodedError } from '@quorate/base';

/** An address as etcd's flags write it. */
export interface MemberUrl {
  readonly scheme: 'http' | 'https' | 'unix' | 'unixs';
  /** Host name or IP without brackets; the socket path of a unix scheme. */
  readonly host: string;
  /** 0 for a unix scheme. */
  readonly port: number;
  /** The URL as it is printed and stored. */
  readonly href: string;
}

function refuse(message: string): never {
  throw new CodedError('config/url', message);
}

/** Reads one URL. @throws CodedError config/url with etcd's own text */
export function parseMemberUrl(text: string): MemberUrl {
  const trimmed = text.trim();
  const match = /^([a-z]+):\/\/(.*)$/i.exec(trimmed);
  const scheme = match?.[1]?.toLowerCase() ?? '';
  const rest = match?.[2] ?? '';
  if (scheme === 'unix' || scheme === 'unixs') return { scheme, host: rest, port: 0, href: trimmed };
  if (scheme !== 'http' && scheme !== 'https') refuse(`URL scheme must be http, https, unix, or unixs: ${trimmed}`);
  const parts = /^(\[[^\]]*\]|[^:/]*)(?::(\d*))?(\/.*)?$/.exec(rest);
  if (!parts || parts[2] === undefined || parts[2] === '') {
    refuse(`URL address does not have the form "host:port": ${trimmed}`);
  }
  if (parts[3] !== undefined && parts[3] !== '' && parts[3] !== '/') refuse(`URL must not contain a path: ${trimmed}`);
  const port = Number(parts[2]);
  if (port > 65_535) refuse(`URL address does not have the form "host:port": ${trimmed}`);
  const host = parts[1] as string;
  return { scheme, host: host.replace(/^\[|\]$/g, ''), port, href: `${scheme}://${host}:${port}` };
}

/** Reads a comma separated list, sorted as etcd sorts it. @throws CodedError config/url */
export function parseMemberUrls(text: string): MemberUrl[] {
  const urls = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseMemberUrl);
  return urls.sort((a, b) => (a.href < b.href ? -1 : a.href > b.href ? 1 : 0));
}

/** Whether a URL may be bound: an IP, `localhost`, or a socket path. */
export function isBindable(url: MemberUrl): boolean {
  if (url.scheme === 'unix' || url.scheme === 'unixs') return true;
  return url.host === 'localhost' || /^[\d.]+$/.test(url.host) || url.host.includes(':');
}
