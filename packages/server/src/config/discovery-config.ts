import type { SettingReader } from './config.ts';

/** Where a member finds the cluster it begins with. Empty texts: not that way. */
export interface DiscoveryConfig {
  /** DNS domain with the SRV records, and what their service names end with. */
  readonly srvDomain: string;
  readonly srvServiceName: string;
  readonly v3: V3DiscoveryConfig;
}

/** A registry kept in another cluster. */
export interface V3DiscoveryConfig {
  readonly token: string;
  readonly endpoints: readonly string[];
  readonly dialTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly insecureTransport: boolean;
  readonly insecureSkipTlsVerify: boolean;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly user: string;
  readonly password: string;
}

export function readDiscovery(read: SettingReader): DiscoveryConfig {
  return {
    srvDomain: read.text('discovery-srv'),
    srvServiceName: read.text('discovery-srv-name'),
    v3: {
      token: read.text('discovery-token'),
      endpoints: read.list('discovery-endpoints'),
      dialTimeoutMs: read.durationMs('discovery-dial-timeout'),
      requestTimeoutMs: read.durationMs('discovery-request-timeout'),
      keepaliveTimeMs: read.durationMs('discovery-keepalive-time'),
      keepaliveTimeoutMs: read.durationMs('discovery-keepalive-timeout'),
      insecureTransport: read.bool('discovery-insecure-transport'),
      insecureSkipTlsVerify: read.bool('discovery-insecure-skip-tls-verify'),
      certFile: read.text('discovery-cert'),
      keyFile: read.text('discovery-key'),
      caFile: read.text('discovery-cacert'),
      user: read.text('discovery-user'),
      password: read.text('discovery-password'),
    },
  };
}
