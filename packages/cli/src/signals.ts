import type { Logger } from '@quorate/base';
import { describeError } from './describe-error.ts';

interface Stoppable {
  stop(): Promise<void>;
}

/** Drains on the first SIGTERM or SIGINT, then lets the signal end the process as if nothing had caught it. */
export function stopOnSignals(member: Stoppable, logger: Logger): void {
  const stop = (signal: NodeJS.Signals) => {
    process.removeAllListeners('SIGINT');
    process.removeAllListeners('SIGTERM');
    logger.info('received signal; shutting down', { signal: signal === 'SIGTERM' ? 'terminated' : 'interrupt' });
    // Process 1 has no default handler, and a profile is written only by an orderly exit.
    const exitsOrderly = process.pid === 1 || process.execArgv.some((option) => option.startsWith('--cpu-prof'));
    member.stop().then(
      () => (exitsOrderly ? process.exit(0) : process.kill(process.pid, signal)),
      (error: unknown) => {
        logger.info('stopping failed', { error: describeError(error) });
        process.exit(1);
      },
    );
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}
