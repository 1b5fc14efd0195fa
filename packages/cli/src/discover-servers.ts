import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import type { Logger } from '@quorate/base';
import { srvResolver } from 'quorate';

/** Whose SRV records name the servers, and which of them are taken. */
export interface DiscoveryQuestion {
  /** Empty for none. */
  readonly discoveryDomain: string;
  /** What the names of the services end with. */
  readonly discoverySuffix: string;
  /** Also records of servers without TLS; then none is checked. */
  readonly takesInsecure: boolean;
  /** Authorities that the servers are checked by; empty to check none. */
  readonly trustedCaFile: string;
}

/** A server that was found. */
export interface DiscoveredServer {
  readonly host: string;
  readonly port: number;
  /** Of its record: smaller comes first, and among equals the weights say how often. */
  readonly priority: number;
  readonly weight: number;
}

/** No record can be had; the text says why, as etcd does. */
export class DiscoveryError extends Error {}

const handshakeTimeoutMs = 5_000;

/** The servers that SRV records name, none without a domain. @throws DiscoveryError */
export async function discoverServers(
  logger: Logger,
  question: DiscoveryQuestion,
  resolver: Pick<typeof srvResolver, 'records'> = srvResolver,
): Promise<readonly DiscoveredServer[]> {
  const { discoveryDomain: domain, discoverySuffix, takesInsecure, trustedCaFile } = question;
  if (domain === '') return [];
  const suffix = discoverySuffix === '' ? '' : `-${discoverySuffix}`;
  const names = ['etcd-client-ssl', 'etcd-client'].map((service) => `_${service}${suffix}._tcp.${domain}`);
  const results = await Promise.allSettled(names.map((name) => resolver.records(name)));
  const problems = results.flatMap((result) =>
    result.status === 'rejected' ? [(result.reason as Error).message] : [],
  );
  if (problems.length === names.length) throw new DiscoveryError(`dns lookup errors: ${problems.join(' and ')}`);
  const [secure = [], plain = []] = results.map((result) => (result.status === 'fulfilled' ? result.value : []));
  const all = [...secure, ...(takesInsecure ? plain : [])].map(({ target, port, priority, weight }) => ({
    host: target.replace(/\.$/, ''),
    ...{ port, priority, weight },
  }));
  const endpoints = all.map(({ host, port }) => `${host}:${port}`);
  logger.info('discovered servers', { 'discovery-srv': domain, endpoints });
  if (takesInsecure || trustedCaFile === '') return all;
  const ca = readFileSync(trustedCaFile);
  const judged = await Promise.all(all.map((server) => isTrusted(logger, server, ca)));
  return all.filter((_, i) => judged[i]);
}

/** Whether the server shows a certificate for its name that the authorities vouch for. */
function isTrusted(logger: Logger, { host, port }: DiscoveredServer, ca: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ca, servername: host, ALPNProtocols: ['h2'] }, () => finish(true));
    const finish = (isGood: boolean, error?: Error) => {
      socket.destroy();
      if (error) logger.warn('a server is not trusted', { address: `${host}:${port}`, error: error.message });
      resolve(isGood);
    };
    socket.setTimeout(handshakeTimeoutMs, () => finish(false, new Error('handshake timeout')));
    socket.on('error', (error) => finish(false, error));
  });
}
