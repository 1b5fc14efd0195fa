import { join } from 'node:path';
import { CodedError, type Logger } from '@quorate/base';
import type { MemberConfig } from '../config/config.ts';
import { noTls, type TlsSettings } from '../config/tls-settings.ts';
import type { MemberUrl } from '../config/urls.ts';
import { tlsConfigError } from './problems.ts';
import { type SelfSignedOptions, selfSignedFiles } from './self-signed.ts';
import { refuseUnknownSuites, TlsMaterial } from './tls-material.ts';

export function isSecure({ scheme }: Pick<MemberUrl, 'scheme'>): boolean {
  return scheme === 'https' || scheme === 'unixs';
}

/**
 * What the sockets between members use; undefined without any TLS. Refuses in etcd's order.
 * @throws CodedError tls/config
 */
export async function openPeerTls(logger: Logger, config: MemberConfig): Promise<TlsMaterial | undefined> {
  refuseUnknownSuites(config.peerTls.cipherSuites);
  const settings = await withOwnCertificate(logger, config, 'peer', config.peerTls, config.listenPeerUrls);
  const hasPair = hasCertificate(settings);
  if (hasPair) logger.info('starting with peer TLS', logFields(settings));
  for (const url of config.listenPeerUrls) {
    if (isSecure(url) && !hasPair) {
      throw tlsConfigError(`cannot listen on TLS for ${url.host}:${url.port}: KeyFile and CertFile are not presented`);
    }
    if (url.scheme !== 'http') continue;
    const field = { 'peer-url': url.href };
    if (hasPair) {
      logger.warn('scheme is HTTP while key and cert files are present; ignoring key and cert files', field);
    }
    if (settings.clientCertAuth) {
      logger.warn(
        'scheme is HTTP while --peer-client-cert-auth is enabled; ignoring client cert auth for this URL',
        field,
      );
    }
  }
  // With an authority alone a member can dial, but not serve.
  return hasPair || settings.trustedCaFile !== '' ? TlsMaterial.open(logger, settings, { dials: true }) : undefined;
}

/**
 * What the sockets for clients use; undefined where none is secure. Refuses in etcd's order.
 * @param urls those that shall listen for clients
 * @param metricsUrls those that shall listen for metrics alone
 * @throws CodedError tls/config
 */
export async function openClientTls(
  logger: Logger,
  config: MemberConfig,
  urls: readonly MemberUrl[],
  metricsUrls: readonly MemberUrl[] = [],
): Promise<TlsMaterial | undefined> {
  refuseUnknownSuites(config.clientTls.cipherSuites);
  const settings = await withOwnCertificate(logger, config, 'client', config.clientTls, urls);
  const hasPair = hasCertificate(settings);
  for (const url of urls) {
    if (isSecure(url)) {
      if (hasPair) continue;
      throw tlsConfigError(
        `TLS key/cert (--cert-file, --key-file) must be provided for client url ${url.href} with HTTPS scheme`,
      );
    }
    const field = { 'client-url': url.href };
    if (hasPair) {
      logger.warn('scheme is http or unix while key and cert files are present; ignoring key and cert files', field);
    }
    if (settings.clientCertAuth) {
      logger.warn(
        'scheme is http or unix while --client-cert-auth is enabled; ignoring client cert auth for this URL',
        field,
      );
    }
  }
  const isMetricsSecure = metricsUrls.some(isSecure);
  if (isMetricsSecure && !hasPair) {
    throw tlsConfigError('client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url');
  }
  if (!isMetricsSecure && !urls.some(isSecure)) return undefined;
  logger.info('starting with client TLS', logFields(settings));
  return TlsMaterial.open(logger, settings, { dials: false });
}

/** Half a pair counts as one here; it is refused when it is read. */
function hasCertificate({ certFile, keyFile }: TlsSettings): boolean {
  return certFile !== '' || keyFile !== '';
}

/** The settings, or others with a certificate that the member made for itself and that nobody verifies. */
async function withOwnCertificate(
  logger: Logger,
  config: MemberConfig,
  side: 'client' | 'peer',
  settings: TlsSettings,
  urls: readonly MemberUrl[],
): Promise<TlsSettings> {
  if (!settings.autoTls) return settings;
  if (hasCertificate(settings)) {
    logger.warn(`ignoring ${side} auto TLS since certs given`);
    return { ...settings, autoTls: false };
  }
  if (config.inMemory) throw tlsConfigError('certificates that a member makes for itself need a data directory');
  try {
    return await withSelfSigned(logger, settings, {
      folder: join(config.dataDir, 'fixtures', side),
      hosts: [...new Set(urls.filter(({ scheme }) => !scheme.startsWith('unix')).map(({ host }) => host))],
      validityYears: config.selfSignedValidityYears,
    });
  } catch (error) {
    throw new CodedError('tls/self-signed', `failed to get ${side} self-signed certs`, { cause: error });
  }
}

/**
 * Settings with a certificate that this process made for itself. Nobody verifies it, and nothing else of the settings counts beside it, as
 * in etcd.
 * @throws CodedError tls/config; the file system's errors
 */
export async function withSelfSigned(
  logger: Logger,
  { cipherSuites, minVersion, maxVersion }: TlsSettings,
  options: SelfSignedOptions,
): Promise<TlsSettings> {
  const made = await selfSignedFiles(logger, options);
  return { ...noTls, ...made, skipClientSanVerification: true, autoTls: true, cipherSuites, minVersion, maxVersion };
}

function logFields(settings: TlsSettings): Readonly<Record<string, unknown>> {
  const { certFile, keyFile, clientCertFile, clientKeyFile, trustedCaFile, clientCertAuth, crlFile } = settings;
  const info = `cert = ${certFile}, key = ${keyFile}, client-cert=${clientCertFile}, client-key=${clientKeyFile}, trusted-ca = ${trustedCaFile}, client-cert-auth = ${clientCertAuth}, crl-file = ${crlFile}`;
  return { 'tls-info': info, 'cipher-suites': settings.cipherSuites };
}
