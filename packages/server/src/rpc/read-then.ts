import type { Call } from '@quorate/transport';
import { failCall } from './answers.ts';
import type { LinearizableReads } from './member-context.ts';

/**
 * Runs `read` once everything committed before is applied here and the connection has room for its answer, or fails the call. Nobody who
 * went away is served.
 */
export function readThen(reads: LinearizableReads, call: Call, read: () => void): void {
  reads.linearizableRead({
    readable: () => {
      call.whenRoom(() => {
        if (!call.cancelled) read();
      });
    },
    failed: (symbol) => failCall(call, symbol),
  });
}
