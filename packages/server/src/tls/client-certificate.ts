import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TlsSettings } from '../config/tls-settings.ts';
import { serialText } from './revocation-list.ts';

/** How names and addresses are looked up; `node:dns/promises` in earnest. */
export interface Resolver {
  /** Addresses of a name. */
  forward(name: string): Promise<readonly string[]>;
  /** Names of an address. */
  reverse(address: string): Promise<readonly string[]>;
}

export const notAllowedText = 'client certificate authentication failed';

type Allowed = Pick<TlsSettings, 'allowedCommonNames' | 'allowedHostnames'>;

/** Go's rules: a wildcard stands for one whole label, the common name for nothing. */
const hostRules = { subject: 'never', partialWildcards: false } as const;

/** Whether a certificate is valid for a host name or an address. */
export function isValidFor(certificate: X509Certificate, host: string): boolean {
  const found = isIP(host) === 0 ? certificate.checkHost(host, hostRules) : certificate.checkIP(host);
  return found !== undefined;
}

/** Whether the lists of allowed names, if there are any, let a certificate pass. */
export function isAllowed({ allowedCommonNames, allowedHostnames }: Allowed, certificate: X509Certificate): boolean {
  if (allowedCommonNames.length > 0) return allowedCommonNames.includes(commonNameOf(certificate));
  return allowedHostnames.length === 0 || allowedHostnames.some((host) => isValidFor(certificate, host));
}

/** The common name of the subject; the last if there are several. */
function commonNameOf(certificate: X509Certificate): string {
  // The text form of the subject escapes what is special in it.
  const { subject } = certificate.toLegacyObject();
  return [subject?.CN].flat().at(-1) ?? '';
}

/** The certificate that a client showed, and those between it and an authority that is trusted. */
export function shownCertificates(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && (chain.length === 0 || certificate.subject !== certificate.issuer)) {
    chain.push(certificate);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

/** What stands in a revocation list against a chain of certificates; undefined when nothing does. */
export function revocationProblem(chain: readonly X509Certificate[], revoked: ReadonlySet<string>): string | undefined {
  const serial = chain.map(({ serialNumber }) => serialText(serialNumber)).find((number) => revoked.has(number));
  if (serial === undefined) return undefined;
  const bytes = serial.padStart(serial.length + (serial.length % 2), '0');
  return `transport: certificate serial ${bytes.toLowerCase()} revoked`;
}

/** DNS names and addresses that a certificate is for. */
export interface AlternativeNames {
  readonly addresses: readonly string[];
  readonly names: readonly string[];
}

/** Names with anything odd in them are quoted, so that they cannot pass for two. */
export function alternativeNames(certificate: X509Certificate): AlternativeNames {
  // Undefined without the extension, whatever the types say.
  const text: string = certificate.subjectAltName ?? '';
  const [addresses, names]: [string[], string[]] = [[], []];
  for (const [, kind, raw = ''] of text.matchAll(/(DNS|IP Address|[^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)) {
    const value = raw.startsWith('"') ? String(JSON.parse(raw)) : raw;
    if (kind === 'DNS') names.push(value);
    else if (kind === 'IP Address') addresses.push(shortAddress(value));
  }
  return { addresses, names };
}

/** OpenSSL writes all groups of an IPv6 address. */
function shortAddress(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

/**
 * Whether a client certificate belongs to where it comes from: one of its addresses, else one of its names by what the address is called
 * and where the name leads. One without either passes.
 * @returns why not
 */
export async function addressProblem(
  certificate: X509Certificate,
  remoteAddress: string,
  resolver: Resolver,
): Promise<string | undefined> {
  const { addresses, names } = alternativeNames(certificate);
  if (addresses.length === 0 && names.length === 0) return undefined;
  const remote = remoteAddress.replace(/^::ffff:(?=\d+\.)/, '');
  if (addresses.length > 0 && isValidFor(certificate, remote)) return undefined;
  if (names.length === 0) return `x509: certificate is valid for ${addresses.join(', ')}, not ${remote}`;
  const called: readonly string[] = await resolver.reverse(remote).catch(() => []);
  if (called.some((name) => names.some((own) => isCalled(name.replace(/\.$/, ''), own)))) return undefined;
  for (const name of names) {
    if (name.startsWith('*.')) continue;
    const leads: readonly string[] = await resolver.forward(name).catch(() => []);
    if (leads.includes(remote)) return undefined;
  }
  return `tls: "${remote}" does not match any of DNSNames [${names.map((name) => JSON.stringify(name)).join(' ')}]`;
}

/** Here a wildcard stands for any number of labels, as in etcd. */
function isCalled(name: string, own: string): boolean {
  return own.startsWith('*.') ? name.endsWith(own.slice(1)) : name === own;
}
