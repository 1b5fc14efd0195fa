/** TLS of one side of a member: of what it serves, and of how it dials. Paths are empty where there is none. */
export interface TlsSettings {
  /** PEM. */
  readonly certFile: string;
  readonly keyFile: string;
  /** For dialling, when it is not the same pair. */
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  /** Whom to trust, PEM; alone it makes client certificates a must. Empty: the system's own authorities. */
  readonly trustedCaFile: string;
  readonly clientCertAuth: boolean;
  /** A revocation list, DER. */
  readonly crlFile: string;
  /** Of a certificate of the other end: one of these common names, if there are any. */
  readonly allowedCommonNames: readonly string[];
  /** Of a certificate of the other end: valid for one of these names or addresses, if there are any. */
  readonly allowedHostnames: readonly string[];
  /** The name that members who are dialled must have, when it is not the host of their URLs. */
  readonly serverName: string;
  /** Does not compare a client certificate with the address it comes from; only peers are compared. */
  readonly skipClientSanVerification: boolean;
  /** Makes its own certificate, which nobody verifies. */
  readonly autoTls: boolean;
  /** By Go's names. */
  readonly cipherSuites: readonly string[];
  readonly minVersion: TlsVersion;
  /** Empty: the highest there is. */
  readonly maxVersion: TlsVersion | '';
}

export type TlsVersion = 'TLS1.2' | 'TLS1.3';

/** All at rest. */
export const noTls: TlsSettings = {
  certFile: '',
  keyFile: '',
  clientCertFile: '',
  clientKeyFile: '',
  trustedCaFile: '',
  clientCertAuth: false,
  crlFile: '',
  allowedCommonNames: [],
  allowedHostnames: [],
  serverName: '',
  skipClientSanVerification: false,
  autoTls: false,
  cipherSuites: [],
  minVersion: 'TLS1.2',
  maxVersion: '',
};

interface Reader {
  text(name: string): string;
  bool(name: string): boolean;
  list(name: string): string[];
}

/** What listeners for clients use. */
export function readClientTls(read: Reader): TlsSettings {
  return {
    ...readVersions(read),
    certFile: read.text('cert-file'),
    keyFile: read.text('key-file'),
    clientCertFile: read.text('client-cert-file'),
    clientKeyFile: read.text('client-key-file'),
    trustedCaFile: read.text('trusted-ca-file'),
    clientCertAuth: read.bool('client-cert-auth'),
    crlFile: read.text('client-crl-file'),
    allowedCommonNames: read.list('client-cert-allowed-cn'),
    allowedHostnames: read.list('client-cert-allowed-hostname'),
    serverName: '',
    // Clients come from anywhere.
    skipClientSanVerification: true,
    autoTls: read.bool('auto-tls'),
  };
}

/** How members prove to each other who they are. */
export function readPeerTls(read: Reader): TlsSettings {
  return {
    ...readVersions(read),
    certFile: read.text('peer-cert-file'),
    keyFile: read.text('peer-key-file'),
    clientCertFile: read.text('peer-client-cert-file'),
    clientKeyFile: read.text('peer-client-key-file'),
    trustedCaFile: read.text('peer-trusted-ca-file'),
    clientCertAuth: read.bool('peer-client-cert-auth'),
    crlFile: read.text('peer-crl-file'),
    allowedCommonNames: read.list('peer-cert-allowed-cn'),
    allowedHostnames: read.list('peer-cert-allowed-hostname'),
    serverName: '',
    skipClientSanVerification: read.bool('peer-skip-client-san-verification'),
    autoTls: read.bool('peer-auto-tls'),
  };
}

function readVersions(read: Reader): Pick<TlsSettings, 'cipherSuites' | 'minVersion' | 'maxVersion'> {
  return {
    cipherSuites: read.list('cipher-suites'),
    minVersion: (read.text('tls-min-version') || 'TLS1.2') as TlsVersion,
    maxVersion: read.text('tls-max-version') as TlsVersion | '',
  };
}

const versions: readonly string[] = ['TLS1.2', 'TLS1.3'];

/** What is wrong with the versions, in etcd's words; undefined when nothing is. All else is looked at when it is used, as in etcd. */
export function problemWithVersions({ minVersion, maxVersion, cipherSuites }: TlsSettings): string | undefined {
  const unknown = [minVersion, maxVersion].find((version) => version !== '' && !versions.includes(version));
  if (unknown !== undefined) return `unexpected TLS version "${unknown}" (must be one of: TLS1.2, TLS1.3)`;
  if (maxVersion !== '' && minVersion > maxVersion) {
    return `min version (${minVersion}) is greater than max version (${maxVersion})`;
  }
  if (minVersion === 'TLS1.3' && cipherSuites.length > 0) {
    return 'cipher suites cannot be configured when only TLS1.3 is enabled';
  }
  return undefined;
}
