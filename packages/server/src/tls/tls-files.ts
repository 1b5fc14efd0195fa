import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { TlsSettings } from '../config/tls-settings.ts';
import { problemText, tlsConfigError } from './problems.ts';
import { revokedSerials } from './revocation-list.ts';
import { readSystemAuthorities } from './system-authorities.ts';

/** What TLS takes from files, as they were at one moment. */
export interface TlsContents {
  /** For servers; undefined without a certificate. */
  readonly server: SecureContextOptions | undefined;
  /** For dialling. */
  readonly client: SecureContext;
}

/** Where the files are. */
export type TlsPaths = Pick<TlsSettings, 'certFile' | 'keyFile' | 'clientCertFile' | 'clientKeyFile' | 'trustedCaFile'>;

/** What tells one state of files from another without reading them. */
export async function stampOf(paths: readonly string[]): Promise<string> {
  const stamps = paths.map(async (path) => {
    try {
      const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
      return `${ino}/${size}/${mtimeNs}/${ctimeNs}`;
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    }
  });
  return (await Promise.all(stamps)).join(' ');
}

/**
 * Reads certificates, keys and authorities, and sees that they fit each other.
 * @param verifies whether certificates of others are verified, so that there must be authorities
 * @throws CodedError tls/config
 */
export async function readTlsContents(
  paths: TlsPaths,
  common: SecureContextOptions,
  verifies: boolean,
): Promise<TlsContents> {
  try {
    const authorities = verifies ? await readAuthorities(paths.trustedCaFile) : undefined;
    const ca = authorities === undefined ? {} : { ca: authorities };
    const pair = await readPair(paths.certFile, paths.keyFile);
    const clientPair = paths.clientCertFile === '' ? pair : await readPair(paths.clientCertFile, paths.clientKeyFile);
    const server = pair === undefined ? undefined : { ...common, ...ca, ...pair };
    // A pair that is only served must fit as well, before anybody connects.
    if (server !== undefined && clientPair !== pair) createSecureContext(server);
    return { server, client: createSecureContext({ ...common, ...ca, ...clientPair }) };
  } catch (error) {
    throw tlsConfigError(problemText(error));
  }
}

/** @throws CodedError tls/crl; the file system's errors */
export async function readRevokedSerials(path: string): Promise<ReadonlySet<string>> {
  return revokedSerials(await readFile(path));
}

async function readPair(cert: string, key: string): Promise<{ cert: Buffer; key: Buffer } | undefined> {
  return cert === '' ? undefined : { cert: await readFile(cert), key: await readFile(key) };
}

/** OpenSSL passes over what is no certificate: a file cut short would trust nobody from then on. */
async function readAuthorities(path: string): Promise<Buffer | undefined> {
  if (path === '') return readSystemAuthorities();
  const bundle = await readFile(path);
  const certificates = bundle.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (certificates === null) throw tlsConfigError(`no certificate in ${path}`);
  for (const certificate of certificates) new X509Certificate(certificate);
  return bundle;
}
