import { noTls, type TlsSettings } from '../../config/tls-settings.ts';

/** Settings with all at rest but what is said. */
export function tlsSettings(said: Partial<TlsSettings>): TlsSettings {
  return { ...noTls, ...said };
}
