import type { TlsSettings } from '../../config/tls-settings.ts';

const nothing: TlsSettings = {
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

/** Settings with all at rest but what is said. */
export function tlsSettings(said: Partial<TlsSettings>): TlsSettings {
  return { ...nothing, ...said };
}
