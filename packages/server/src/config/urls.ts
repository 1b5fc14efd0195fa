import { isIP } from 'node:net';
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
  const { scheme, rest } = splitScheme(trimmed);
  if (scheme === 'unix' || scheme === 'unixs') return { scheme, host: rest.replace('//', ''), port: 0, href: trimmed };
  // Host and port of a URL of any scheme are looked at before the scheme is.
  const { authority, path } = splitPath(rest);
  const { host, port } = splitHost(trimmed, authority.slice(authority.lastIndexOf('@') + 1));
  if (scheme !== 'http' && scheme !== 'https') refuse(`URL scheme must be http, https, unix, or unixs: ${trimmed}`);
  if (port === undefined || (host.includes(':') && !host.startsWith('['))) {
    refuse(`URL address does not have the form "host:port": ${trimmed}`);
  }
  if (path !== '') refuse(`URL must not contain a path: ${trimmed}`);
  return {
    scheme,
    host: host.replace(/^\[|\]$/g, ''),
    port: Number(port),
    href: `${scheme}://${host}:${port === '' ? '' : Number(port)}`,
  };
}

/** The scheme in small letters, empty where there is none. */
function splitScheme(text: string): { readonly scheme: string; readonly rest: string } {
  if (text.startsWith(':')) refuse(`parse ${JSON.stringify(text)}: missing protocol scheme`);
  const match = /^([a-z][a-z\d+.-]*):(.*)$/is.exec(text);
  if (match) return { scheme: (match[1] as string).toLowerCase(), rest: match[2] as string };
  if (/^[^/?#]*:/.test(text)) {
    refuse(`parse ${JSON.stringify(text)}: first path segment in URL cannot contain colon`);
  }
  return { scheme: '', rest: text };
}

function splitPath(rest: string): { readonly authority: string; readonly path: string } {
  const match = /^\/\/([^/?#]*)([^?#]*)/.exec(rest);
  return match ? { authority: match[1] as string, path: match[2] as string } : { authority: '', path: '' };
}

/** Host (an IPv6 address in its brackets) and port; the port is undefined where there is no colon before it. */
function splitHost(url: string, authority: string): { readonly host: string; readonly port: string | undefined } {
  const bad = (reason: string) => refuse(`parse ${JSON.stringify(url)}: ${reason}`);
  const end = authority.startsWith('[') ? authority.indexOf(']') + 1 : authority.lastIndexOf(':');
  if (authority.startsWith('[') && end === 0) bad("missing ']' in host");
  const host = end < 0 ? authority : authority.slice(0, end);
  const tail = end < 0 ? '' : authority.slice(end);
  if (!/^(?::\d*)?$/.test(tail)) bad(`invalid port ${JSON.stringify(tail)} after host`);
  const badEscape = /%(?![\da-f]{2}).{0,2}/i.exec(host);
  if (badEscape) bad(`invalid URL escape ${JSON.stringify(badEscape[0])}`);
  const strange = /[\s<>"\\^`{|}]/.exec(host);
  if (strange) bad(`invalid character ${JSON.stringify(strange[0])} in host name`);
  return { host, port: tail === '' ? undefined : tail.slice(1) };
}

/** Reads a comma separated list, sorted as etcd sorts it; none of an empty text. @throws CodedError config/url */
export function parseMemberUrls(text: string): MemberUrl[] {
  if (text === '') return [];
  const urls = text.split(',').map(parseMemberUrl);
  return urls.sort((a, b) => (a.href < b.href ? -1 : a.href > b.href ? 1 : 0));
}

/** Whether a URL may be bound: an IP, `localhost`, or a socket path. */
export function isBindable(url: MemberUrl): boolean {
  if (url.scheme === 'unix' || url.scheme === 'unixs') return true;
  return url.host === 'localhost' || (isIP(url.host) !== 0 && !url.host.includes('%'));
}
