import type { PeerCertificate, SecureContextOptions, SecureVersion } from 'node:tls';

export interface KeyPair {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** How members prove to each other who they are. One certificate serves both ways unless there is another for the way out. */
export interface PeerTls {
  /** Asked at each handshake, so that renewed files count at once. PEM. */
  readonly keyPair: () => KeyPair;
  readonly clientKeyPair?: () => KeyPair;
  /** Whom to trust, PEM; the system's own authorities when left out. With it, who dials must show a certificate. */
  readonly ca?: string | Buffer;
  /** Who dials must show a certificate, also without `ca`. */
  readonly clientCertAuth?: boolean;
  /** Takes any certificate of a member that is dialled: all make their own. */
  readonly skipVerify?: boolean;
  /** Name in the certificates of the others, when it is not the host of their URLs. */
  readonly serverName?: string;
  /** Does not compare a client certificate with the address it comes from. */
  readonly skipClientSanVerification?: boolean;
  /** Of client certificates: one of these common names, if there are any. */
  readonly allowedCommonNames?: readonly string[];
  /** Of client certificates: valid for one of these names, if there are any. */
  readonly allowedHostnames?: readonly string[];
  /** At least; 1.2 when left out. */
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
  /** In OpenSSL's names. */
  readonly ciphers?: string;
}

function commonOptions(tls: PeerTls): SecureContextOptions {
  return {
    minVersion: tls.minVersion ?? 'TLSv1.2',
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
    ...(tls.ciphers === undefined ? {} : { ciphers: tls.ciphers }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
  };
}

export function serverContext(tls: PeerTls, { cert, key }: KeyPair): SecureContextOptions {
  return { ...commonOptions(tls), cert, key };
}

export function demandsCertificate(tls: PeerTls): boolean {
  return tls.clientCertAuth === true || tls.ca !== undefined;
}

export interface ClientTlsOptions extends SecureContextOptions {
  readonly rejectUnauthorized: boolean;
  readonly servername?: string;
}

export function clientOptions(tls: PeerTls): ClientTlsOptions {
  const { cert, key } = (tls.clientKeyPair ?? tls.keyPair)();
  return {
    ...commonOptions(tls),
    cert,
    key,
    rejectUnauthorized: tls.skipVerify !== true,
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
  };
}

/** How names and addresses are looked up; `node:dns/promises` in earnest. */
export interface Resolver {
  /** Addresses of a name. */
  forward(name: string): Promise<readonly string[]>;
  /** Names of an address. */
  reverse(address: string): Promise<readonly string[]>;
}

interface AlternativeNames {
  readonly addresses: readonly string[];
  readonly names: readonly string[];
}

function alternativeNames(certificate: PeerCertificate): AlternativeNames {
  const parts = (certificate.subjectaltname ?? '').split(', ');
  const of = (prefix: string) =>
    parts.filter((part) => part.startsWith(prefix)).map((part) => part.slice(prefix.length));
  return { addresses: of('IP Address:'), names: of('DNS:') };
}

/**
 * Whether a client certificate belongs to where it comes from: one of its addresses, else an address of one of its names; a name with a
 * wildcard is held against the names of the address. One without either passes.
 * @returns why not
 */
export async function checkClientAddress(
  certificate: PeerCertificate,
  remoteAddress: string,
  resolver: Resolver,
): Promise<string | undefined> {
  const { addresses, names } = alternativeNames(certificate);
  const remote = canonicalAddress(remoteAddress);
  if (addresses.length === 0 && names.length === 0) return undefined;
  if (addresses.some((address) => canonicalAddress(address) === remote)) return undefined;
  for (const name of names) {
    const isSame = name.startsWith('*.')
      ? (await resolver.reverse(remote).catch(() => [])).some((found) => isBelow(found, name.slice(1)))
      : (await resolver.forward(name).catch(() => [])).some((found) => canonicalAddress(found) === remote);
    if (isSame) return undefined;
  }
  if (names.length === 0) return `tls: "${remote}" does not match any of the IP addresses of the certificate`;
  return `tls: "${remote}" does not match any of DNSNames [${names.map((name) => `"${name}"`).join(' ')}]`;
}

/** Whether `host` is a name one level below `domain`, which begins with a dot. */
function isBelow(host: string, domain: string): boolean {
  const name = host.replace(/\.$/, '').toLowerCase();
  const dot = name.indexOf('.');
  return dot > 0 && name.slice(dot) === domain.toLowerCase();
}

/** In one spelling: IPv4 in IPv6 as IPv4, IPv6 as URLs print it. */
function canonicalAddress(address: string): string {
  const plain = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
  if (!plain.includes(':')) return plain;
  try {
    return new URL(`http://[${plain}]`).hostname.slice(1, -1);
  } catch {
    return plain;
  }
}
