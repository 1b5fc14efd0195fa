import { errors, etcdserverpb } from '@quorate/api';
import type { MvccStore } from '@quorate/machine';
import type { LinearizableReads } from '../rpc/member-context.ts';

/** The read as spans show it: etcd's, which has no key. */
export const healthRead = etcdserverpb.RangeRequest.create({ keysOnly: true, limit: 1 });
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
