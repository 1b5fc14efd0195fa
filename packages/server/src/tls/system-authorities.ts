import { readFile } from 'node:fs/promises';

/** Where systems keep the authorities they trust, in the order in which Go looks. */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/**
 * The authorities that this machine trusts (PEM), or those in the file that `SSL_CERT_FILE` names. Undefined where there are none: Node brings
 * its own. @throws the file system's error when the named file cannot be read
 */
export async function readSystemAuthorities(): Promise<Buffer | undefined> {
  const named = process.env.SSL_CERT_FILE;
  if (named !== undefined && named !== '') return readFile(named);
  for (const path of bundles) {
    const bundle = await readFile(path).catch(() => undefined);
    if (bundle !== undefined) return bundle;
  }
  return undefined;
}
