import { lookup } from 'node:dns/promises';
import type { Logger } from '@quorate/base';
import { discoverServers } from '../discover-servers.ts';
import type { Endpoint } from './endpoint-picker.ts';
import type { GatewayConfig } from './gateway-flags.ts';

/** What keeps a gateway from starting, as it is printed. */
export class GatewayError extends Error {}

/** Host and port of an address; undefined where it has none. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d*)$/.exec(address);
  return match ? { host: match[1] ?? match[2] ?? '', port: Number(match[3]) } : undefined;
}

/** The servers of the SRV records, else those of the flags. @throws GatewayError, DiscoveryError */
export async function findEndpoints(logger: Logger, config: GatewayConfig): Promise<readonly Endpoint[]> {
  const found = await discoverServers(logger, config);
  if (found.length > 0) return found;
  const endpoints = config.endpoints.map((given) => {
    const address = splitAddress(given.replace(/^[a-z][a-z\d+.-]*:\/\//i, ''));
    if (address === undefined) throw new GatewayError(`error parsing endpoint ${JSON.stringify(given)}`);
    return { ...address, priority: 0, weight: 0 };
  });
  if (endpoints.length === 0) throw new GatewayError('no endpoints found');
  return endpoints;
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
