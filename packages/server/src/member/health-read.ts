import { errors } from '@quorate/api';
import type { MvccStore } from '@quorate/machine';
import type { LinearizableReads } from '../rpc/member-context.ts';

const anyKey = new Uint8Array(1);

/** Reads a key to see whether reading goes. @throws Error with the text that clients would get */
export async function tryRead(store: () => MvccStore, reads: LinearizableReads, serializable: boolean): Promise<void> {
  if (!serializable) {
    await new Promise<void>((resolve, reject) => {
      reads.linearizableRead({ readable: resolve, failed: (symbol) => reject(new Error(errors[symbol].message)) });
    });
  }
  store().get(anyKey);
}
