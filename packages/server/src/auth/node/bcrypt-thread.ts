import { Worker } from 'node:worker_threads';

/** What the thread is asked for. Passwords are compared and hashed by their first 72 bytes of UTF-8. */
export type BcryptTask =
  | { readonly kind: 'hash'; readonly password: string; readonly salt: string }
  | { readonly kind: 'compare'; readonly password: string; readonly hash: string };

/** A hash, or whether the password is that of the hash. */
export type BcryptResult = string | boolean;

interface Pending {
  readonly resolve: (result: BcryptResult) => void;
  readonly reject: (error: Error) => void;
}

let thread: { readonly worker: Worker; readonly pending: Pending[] } | undefined;

/** Works in a thread that all members of the process share, begun with the first question. Answers come in the order of the questions. */
export function askBcryptThread(task: BcryptTask): Promise<BcryptResult> {
  thread ??= startThread();
  const { worker, pending } = thread;
  return new Promise((resolve, reject) => {
    pending.push({ resolve, reject });
    // A process that only waits for a hash must wait; one that has the thread and nothing to do may end.
    worker.ref();
    worker.postMessage(task);
  });
}

function startThread(): { worker: Worker; pending: Pending[] } {
  const worker = new Worker(new URL('./bcrypt-worker.js', import.meta.url));
  const pending: Pending[] = [];
  worker.on('message', (result: BcryptResult) => {
    pending.shift()?.resolve(result);
    if (pending.length === 0) worker.unref();
  });
  worker.on('error', (error) => {
    if (thread?.worker === worker) thread = undefined;
    for (const { reject } of pending.splice(0)) reject(error instanceof Error ? error : new Error(String(error)));
  });
  worker.unref();
  return { worker, pending };
}
