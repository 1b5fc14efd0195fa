import { parseDurationMs } from 'quorate';
import type { DiscoveryQuestion } from '../discover-servers.ts';

export interface GatewayConfig extends DiscoveryQuestion {
  readonly listenAddress: string;
  readonly endpoints: readonly string[];
  readonly retryDelayMs: number;
}

export const gatewayGroupHelp = `gateway related command

Usage:
  quorate gateway [command]

Available Commands:
  start       start the gateway

Flags:
  -h, --help   help for gateway

Use "quorate gateway [command] --help" for more information about a command.
`;

export const gatewayHelp = `start the gateway

${usage()}`;

function usage(): string {
  return `Usage:
  quorate gateway start [flags]

Flags:
      --discovery-srv string        DNS domain whose SRV records name the servers
      --discovery-srv-name string   what the names of the services in it end with
      --endpoints strings           comma separated addresses of the servers (default [127.0.0.1:2379])
  -h, --help                        help for start
      --insecure-discovery          takes SRV records of servers without TLS
      --listen-addr string          listen address (default "127.0.0.1:23790")
      --retry-delay duration        pause before a server that failed is tried again (default 1m0s)
      --trusted-ca-file string      authorities that the servers found by discovery-srv are checked by
`;
}

export class GatewayUsageError extends Error {}

const kinds: Readonly<Record<string, 'text' | 'list' | 'bool' | 'duration'>> = {
  'discovery-srv': 'text',
  'discovery-srv-name': 'text',
  endpoints: 'list',
  'insecure-discovery': 'bool',
  'listen-addr': 'text',
  'retry-delay': 'duration',
  'trusted-ca-file': 'text',
};

/** Reads the flags of `gateway start`; a list may be given in parts. @throws GatewayUsageError */
export function readGatewayFlags(args: readonly string[]): GatewayConfig {
  const values = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const argument = args[i] as string;
    // What is no flag does not count, as with etcd.
    if (!argument.startsWith('-')) continue;
    const [, name = '', given] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    const kind = kinds[name];
    if (kind === undefined) throw refusal(unknownText(argument, name));
    const value = given ?? (kind === 'bool' ? 'true' : args[++i]);
    if (value === undefined) throw refusal(`flag needs an argument: --${name}`);
    check(name, kind, value);
    const earlier = kind === 'list' ? values.get(name) : undefined;
    values.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  const text = (name: string, otherwise = '') => values.get(name) ?? otherwise;
  return {
    listenAddress: text('listen-addr', '127.0.0.1:23790'),
    endpoints: text('endpoints', '127.0.0.1:2379')
      .split(',')
      .filter((endpoint) => endpoint !== ''),
    discoveryDomain: text('discovery-srv'),
    discoverySuffix: text('discovery-srv-name'),
    takesInsecure: text('insecure-discovery') === 'true',
    trustedCaFile: text('trusted-ca-file'),
    retryDelayMs: parseDurationMs(text('retry-delay', '1m0s')) as number,
  };
}

function unknownText(argument: string, name: string): string {
  if (argument.startsWith('--')) return `unknown flag: --${name}`;
  return `unknown shorthand flag: ${JSON.stringify(argument[1] ?? '').replaceAll('"', "'")} in ${argument}`;
}

function check(name: string, kind: string, value: string): void {
  const isRight =
    kind === 'bool' ? /^(?:true|false)$/.test(value) : kind !== 'duration' || parseDurationMs(value) !== undefined;
  if (isRight) return;
  const problem =
    kind === 'bool'
      ? `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`
      : `time: invalid duration ${JSON.stringify(value)}`;
  throw refusal(`invalid argument ${JSON.stringify(value)} for "--${name}" flag: ${problem}`);
}

function refusal(problem: string): GatewayUsageError {
  return new GatewayUsageError(`Error: ${problem}\n${usage()}\n${problem}`);
}
