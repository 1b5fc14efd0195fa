import { lookup, resolveSrv } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import type { Logger } from '@quorate/base';
import type { Endpoint } from './endpoint-picker.ts';
import type { GatewayConfig } from './gateway-flags.ts';

const handshakeTimeoutMs = 5_000;

/** What keeps a gateway from starting, as it is printed. */
export class GatewayError extends Error {}

/** Host and port of an address; undefined where it has none. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d*)$/.exec(address);
  return match ? { host: match[1] ?? match[2] ?? '', port: Number(match[3]) } : undefined;
}

/** The servers of the SRV records, else those of the flags. @throws GatewayError */
export async function findEndpoints(logger: Logger, config: GatewayConfig): Promise<Endpoint[]> {
  const found = config.discoveryDomain === '' ? [] : await discover(logger, config);
  if (found.length > 0) return found;
  const endpoints = config.endpoints.map((given) => {
    const address = splitAddress(given.replace(/^[a-z][a-z\d+.-]*:\/\//i, ''));
    if (address === undefined) throw new GatewayError(`error parsing endpoint ${JSON.stringify(given)}`);
    return { ...address, priority: 0, weight: 0 };
  });
  if (endpoints.length === 0) throw new GatewayError('no endpoints found');
  return endpoints;
}

async function discover(logger: Logger, config: GatewayConfig): Promise<Endpoint[]> {
  const { discoveryDomain: domain, discoverySuffix, takesInsecure, trustedCaFile } = config;
  const suffix = discoverySuffix === '' ? '' : `-${discoverySuffix}`;
  const names = ['etcd-client-ssl', 'etcd-client'].map((service) => `_${service}${suffix}._tcp.${domain}`);
  const results = await Promise.allSettled(names.map((name) => resolveSrv(name)));
  const [secure = [], plain = []] = results.map((result) => (result.status === 'fulfilled' ? result.value : []));
  if (results.every(({ status }) => status === 'rejected')) {
    throw new GatewayError(`dns lookup errors: ${names.map((name) => `lookup ${name}: no such host`).join(' and ')}`);
  }
  const toEndpoint = ({ name, port, priority, weight }: (typeof secure)[number]): Endpoint => ({
    host: name.replace(/\.$/, ''),
    ...{ port, priority, weight },
  });
  const all = [...secure, ...(takesInsecure ? plain : [])].map(toEndpoint);
  logger.info('discovered servers', {
    'discovery-srv': domain,
    endpoints: all.map(({ host, port }) => `${host}:${port}`),
  });
  if (takesInsecure || trustedCaFile === '') return all;
  const ca = readFileSync(trustedCaFile);
  const judged = await Promise.all(all.map((endpoint) => isTrusted(logger, endpoint, ca)));
  return all.filter((_, i) => judged[i]);
}

/** Whether the server shows a certificate for its name that the authorities vouch for. */
function isTrusted(logger: Logger, { host, port }: Endpoint, ca: Buffer): Promise<boolean> {
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

/** A gateway that forwards to itself would do so for ever. @throws GatewayError */
export async function refuseItself(listenAddress: string, endpoints: readonly Endpoint[]): Promise<void> {
  const own = splitAddress(listenAddress);
  if (own === undefined) throw new GatewayError(`failed to validate listen address: ${listenAddress}`);
  const listening = await addressesOf(own.host, 'failed to resolve listen host');
  for (const { host, port } of endpoints) {
    const addresses = await addressesOf(host, 'failed to resolve endpoint host');
    const same = port === own.port ? addresses.find((address) => listening.includes(address)) : undefined;
    if (same === undefined) continue;
    throw new GatewayError(
      `SRV or endpoint (${host}:${port}->${same}:${port}) should not resolve to the gateway listen addr (${listenAddress})`,
    );
  }
}

async function addressesOf(host: string, problem: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    throw new GatewayError(`${problem}: ${host}`);
  }
}
