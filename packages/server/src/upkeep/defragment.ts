import type { Logger } from '@quorate/base';
import type { ServingState } from '../member/serving-state.ts';

export interface DefragmentDeps {
  readonly logger: Logger;
  readonly backend: { defragment(): Promise<void> };
  readonly serving: ServingState;
  /** The health service keeps clients away meanwhile (feature gate StopGRPCServiceOnDefrag). */
  readonly hides: boolean;
  readonly isStopping: () => boolean;
}

/** Rewrites a member's database without its free pages, as an operator asked for. */
export async function defragment({ logger, backend, serving, hides, isStopping }: DefragmentDeps): Promise<void> {
  logger.info('starting defragment');
  const hid = hides && serving.isServing();
  if (hid) serving.pause('defrag is active');
  try {
    await backend.defragment();
    logger.info('finished defragment');
  } catch (error) {
    logger.warn('failed to defragment', { error: String(error) });
    throw error;
  } finally {
    if (hid && !isStopping()) serving.begin();
  }
}
