import { X509Certificate } from 'node:crypto';
import type { ConnectionOptions, SecureContext, SecureContextOptions, SecureVersion, TlsOptions } from 'node:tls';
import type { Logger } from '@quorate/base';
import type { TlsSettings, TlsVersion } from '../config/tls-settings.ts';
import { chooseCiphers, unknownSuite } from './cipher-suites.ts';
import { isAllowed, isValidFor, notAllowedText, revocationProblem } from './client-certificate.ts';
import { problemText, tlsConfigError } from './problems.ts';
import { readRevokedSerials, readTlsContents, stampOf, type TlsContents, type TlsPaths } from './tls-files.ts';

/** etcd's limit. */
export const handshakeTimeoutMs = 10_000;

/** Who a member is and whom it trusts, on one side (clients or peers), as its files say now. */
export class TlsMaterial {
  readonly settings: TlsSettings;
  private readonly logger: Logger;
  private readonly common: SecureContextOptions;
  private readonly paths: readonly string[];
  private readonly verifies: boolean;
  private contents: TlsContents;
  private stamp: string;
  private check: Promise<void> | undefined;
  private readonly listeners = new Set<() => void>();
  private readonly crl: RevocationFile | undefined;

  private constructor(logger: Logger, settings: TlsSettings, common: SecureContextOptions, first: FirstState) {
    this.logger = logger;
    this.settings = settings;
    this.common = common;
    this.paths = first.paths;
    this.verifies = first.verifies;
    this.contents = first.contents;
    this.stamp = first.stamp;
    this.crl = settings.crlFile === '' ? undefined : new RevocationFile(logger, settings.crlFile);
  }

  /**
   * Reads the files for the first time.
   * @param use `dials`: whether it is used to dial others, too
   * @throws CodedError tls/config with etcd's text
   */
  static async open(
    logger: Logger,
    settings: TlsSettings,
    use: { readonly dials: boolean } = { dials: false },
  ): Promise<TlsMaterial> {
    refuseContradictions(settings);
    const common = commonOptions(logger, settings);
    const paths = pathsOf(settings);
    // Taken before: what changes while it is read is read again.
    const stamp = await stampOf(paths);
    // A system trusts a hundred authorities and more, which take a while to read.
    const verifies = demandsCertificate(settings) || (use.dials && !settings.autoTls);
    const contents = await readTlsContents(settings, common, verifies);
    return new TlsMaterial(logger, settings, common, { paths, verifies, stamp, contents });
  }

  /** Whether who connects must show a certificate. */
  get demandsCertificate(): boolean {
    return demandsCertificate(this.settings);
  }

  /** For a server; undefined without a certificate. */
  get serverContext(): SecureContextOptions | undefined {
    return this.contents.server;
  }

  get serverOptions(): TlsOptions {
    return {
      ...this.contents.server,
      requestCert: this.demandsCertificate,
      rejectUnauthorized: this.demandsCertificate,
      handshakeTimeout: handshakeTimeoutMs,
    };
  }

  /** For dialling the other members. */
  get clientOptions(): ConnectionOptions & { readonly secureContext: SecureContext } {
    const { autoTls, serverName } = this.settings;
    return {
      secureContext: this.contents.client,
      rejectUnauthorized: !autoTls,
      ...(serverName === '' ? {} : { servername: serverName }),
      checkServerIdentity: (host, certificate) => this.problemOfServer(host, new X509Certificate(certificate.raw)),
    };
  }

  /** Why nobody with this chain of certificates is let in: one is revoked, or nobody knows because the list was never readable. */
  revocationProblem(chain: readonly X509Certificate[]): string | undefined {
    return this.crl?.problemOf(chain);
  }

  /** Is told when the files changed and could be read. @returns stops it */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Looks whether the files changed, and takes over what they say now. Those who ask while it looks share the answer. Never rejects. */
  refresh(): Promise<void> {
    this.check ??= this.look().finally(() => {
      this.check = undefined;
    });
    return this.check;
  }

  private async look(): Promise<void> {
    await this.crl?.refresh();
    const stamp = await stampOf(this.paths);
    if (stamp === this.stamp) return;
    this.stamp = stamp;
    try {
      this.contents = await readTlsContents(this.settings, this.common, this.verifies);
    } catch (error) {
      // What was read before stays in use: files are often replaced one after the other.
      this.logger.warn('failed to reload TLS files; those before stay in use', {
        ...filesOf(this.settings),
        error: problemText(error),
      });
      return;
    }
    this.logger.info('reloaded TLS files', filesOf(this.settings));
    for (const listener of this.listeners) listener();
  }

  /** As Go judges a server: only by its alternative names, never by its common name; the lists of allowed names count both ways. */
  private problemOfServer(host: string, certificate: X509Certificate): Error | undefined {
    if (!isValidFor(certificate, host)) return new Error(`x509: certificate is not valid for ${host}`);
    return isAllowed(this.settings, certificate) ? undefined : new Error(notAllowedText);
  }
}

interface FirstState {
  readonly paths: readonly string[];
  readonly verifies: boolean;
  readonly contents: TlsContents;
  readonly stamp: string;
}

/** A revocation list that is read again when it changes. */
class RevocationFile {
  private readonly logger: Logger;
  private readonly path: string;
  private stamp = '';
  private state: { readonly serials: ReadonlySet<string> } | { readonly problem: string } = { problem: 'not read' };

  constructor(logger: Logger, path: string) {
    this.logger = logger;
    this.path = path;
  }

  problemOf(chain: readonly X509Certificate[]): string | undefined {
    return 'problem' in this.state ? this.state.problem : revocationProblem(chain, this.state.serials);
  }

  async refresh(): Promise<void> {
    const stamp = await stampOf([this.path]);
    if (stamp === this.stamp) return;
    this.stamp = stamp;
    try {
      this.state = { serials: await readRevokedSerials(this.path) };
    } catch (error) {
      const problem = problemText(error);
      this.logger.warn('failed to read the revocation list', { 'crl-file': this.path, error: problem });
      // The list before is better than none, and none at all means that nobody is let in.
      if ('problem' in this.state) this.state = { problem };
    }
  }
}

function demandsCertificate({ clientCertAuth, trustedCaFile }: TlsSettings): boolean {
  return clientCertAuth || trustedCaFile !== '';
}

function pathsOf({ certFile, keyFile, clientCertFile, clientKeyFile, trustedCaFile }: TlsPaths): string[] {
  return [certFile, keyFile, clientCertFile, clientKeyFile, trustedCaFile].filter((path) => path !== '');
}

function filesOf({ certFile, keyFile, trustedCaFile }: TlsPaths): Record<string, string> {
  return { 'cert-file': certFile, 'key-file': keyFile, 'trusted-ca-file': trustedCaFile };
}

/** In etcd's order. */
function refuseContradictions(settings: TlsSettings): void {
  const { certFile, keyFile, clientCertFile, clientKeyFile, allowedCommonNames, allowedHostnames } = settings;
  if ((certFile === '') !== (keyFile === '')) {
    throw tlsConfigError(`KeyFile and CertFile must both be present[key: ${keyFile}, cert: ${certFile}]`);
  }
  if ((clientCertFile === '') !== (clientKeyFile === '')) {
    throw tlsConfigError(
      `ClientKeyFile and ClientCertFile must both be present or both absent: key: ${clientKeyFile}, cert: ${clientCertFile}]`,
    );
  }
  if (allowedCommonNames.length > 0 && allowedHostnames.length > 0) {
    const list = (names: readonly string[]) => `[${names.map((name) => JSON.stringify(name)).join(' ')}]`;
    throw tlsConfigError(
      `AllowedCNs and AllowedHostnames are mutually exclusive (cns=${list(allowedCommonNames)}, hostnames=${list(allowedHostnames)})`,
    );
  }
}

/** @throws CodedError tls/config for a suite that etcd does not know either */
export function refuseUnknownSuites(names: readonly string[]): void {
  const unknown = unknownSuite(names);
  if (unknown !== undefined) throw tlsConfigError(`unexpected TLS cipher suite ${JSON.stringify(unknown)}`);
}

function commonOptions(logger: Logger, settings: TlsSettings): SecureContextOptions {
  const { cipherSuites, minVersion, maxVersion } = settings;
  refuseUnknownSuites(cipherSuites);
  const versions = {
    minVersion: nodeVersion(minVersion),
    ...(maxVersion === '' ? {} : { maxVersion: nodeVersion(maxVersion) }),
  };
  if (cipherSuites.length === 0) return versions;
  const { ciphers, missing } = chooseCiphers(cipherSuites);
  if (missing.length > 0) {
    logger.warn('cipher suites that the OpenSSL of this Node is built without', { 'cipher-suites': missing });
  }
  return { ...versions, ciphers, honorCipherOrder: true };
}

function nodeVersion(version: TlsVersion): SecureVersion {
  return version === 'TLS1.3' ? 'TLSv1.3' : 'TLSv1.2';
}
