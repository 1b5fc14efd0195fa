import { hasCode } from '@quorate/base';

/** A promise of a machine that has crashed since may reject with nobody left to hear it; any other is a fault of the program. */
export function ignoreRejectionsOfTheDead(): void {
  process.on('unhandledRejection', (error) => {
    let cause: unknown = error;
    while (cause instanceof Error && !hasCode(cause, 'io/stopped')) ({ cause } = cause);
    if (!hasCode(cause, 'io/stopped')) throw error;
  });
}
