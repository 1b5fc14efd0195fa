import { createLogger } from 'quorate';
import { notifyServiceManager } from '../service-manager.ts';
import { type ProxyConfig, proxyHelp, readProxyFlags } from './proxy-flags.ts';
import { startProxy } from './start-proxy.ts';

/** `quorate grpc-proxy ...`: runs a proxy until a signal stops it. */
export async function grpcProxy(args: readonly string[]): Promise<void> {
  const [command, ...rest] = args;
  if (command !== 'start' || rest.some((argument) => argument === '--help' || argument === '-h')) {
    process.stdout.write(proxyHelp());
    process.exitCode = command === 'start' || command === undefined || command === '--help' || command === '-h' ? 0 : 1;
    return;
  }
  let config: ProxyConfig;
  try {
    config = readProxyFlags(rest);
  } catch (error) {
    refuse(error);
    return;
  }
  const logger = createLogger({ level: config.isVerbose ? 'debug' : 'info', format: 'json', outputs: [] });
  try {
    const proxy = await startProxy(config, logger);
    await notifyServiceManager(logger, process.env);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        logger.info('received signal; shutting down', { signal: signal === 'SIGTERM' ? 'terminated' : 'interrupt' });
        proxy.stop().finally(() => process.exit(0));
      });
    }
  } catch (error) {
    refuse(error);
    // Whatever is open already must not keep the process.
    process.exit(1);
  }
}

function refuse(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
