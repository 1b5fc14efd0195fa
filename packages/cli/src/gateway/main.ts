import { NodeRandom } from '@quorate/base/node';
import { createLogger } from 'quorate';
import { describeError } from '../describe-error.ts';
import { DiscoveryError } from '../discover-servers.ts';
import { notifyServiceManager } from '../service-manager.ts';
import { EndpointPicker } from './endpoint-picker.ts';
import { findEndpoints, GatewayError, refuseItself, splitAddress } from './endpoints.ts';
import {
  type GatewayConfig,
  GatewayUsageError,
  gatewayGroupHelp,
  gatewayHelp,
  readGatewayFlags,
} from './gateway-flags.ts';
import { type Forwarder, startForwarder } from './tcp-forwarder.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `quorate gateway ...`: forwards connections until a signal ends the process. */
export async function gateway(args: readonly string[], environment: Environment): Promise<void> {
  const [command, ...rest] = args;
  const asksForHelp = rest.some((argument) => argument === '--help' || argument === '-h');
  if (command !== 'start' || asksForHelp) {
    process.stdout.write(command === 'start' ? gatewayHelp : gatewayGroupHelp);
    return;
  }
  try {
    await run(readGatewayFlags(rest), args, environment);
  } catch (error) {
    process.exitCode = 1;
    if (error instanceof GatewayUsageError) process.stderr.write(`${error.message}\n`);
    else if (error instanceof GatewayError || error instanceof DiscoveryError)
      process.stdout.write(`${error.message}\n`);
    else throw error;
  }
}

async function run(config: GatewayConfig, args: readonly string[], environment: Environment): Promise<void> {
  const logger = createLogger({ level: 'info', format: 'json', outputs: [] });
  logger.info('Running: ', { args: ['quorate', 'gateway', ...args] });
  const endpoints = await findEndpoints(logger, config);
  await refuseItself(config.listenAddress, endpoints);
  const address = splitAddress(config.listenAddress) as { host: string; port: number };
  const picker = new EndpointPicker(endpoints, new NodeRandom());
  let forwarder: Forwarder;
  try {
    forwarder = await startForwarder(logger, picker, { ...address, retryDelayMs: config.retryDelayMs });
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    process.exitCode = 1;
    return;
  }
  await notifyServiceManager(logger, environment);
  logger.info('ready to proxy client requests', {
    endpoints: endpoints.map(({ host, port }) => `${host}:${port}`),
    'listen-port': forwarder.port,
  });
}
