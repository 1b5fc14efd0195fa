import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Logger } from '@quorate/base';

const runTimeoutMs = 5_000;

/**
 * Tells systemd that the member serves, where NOTIFY_SOCKET asks for it. Node has no datagram sockets for paths, so systemd's own
 * command says it, on behalf of this process.
 */
export async function notifyServiceManager(
  logger: Logger,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  logger.info('notifying init daemon');
  if (environment.NOTIFY_SOCKET) {
    try {
      const args = ['--ready', `--pid=${process.pid}`];
      await promisify(execFile)('systemd-notify', args, { env: { ...environment }, timeout: runTimeoutMs });
    } catch (error) {
      logger.error('failed to notify systemd for readiness', { error: (error as Error).message.trim() });
      return;
    }
  }
  logger.info('successfully notified init daemon');
}
