// The thread that passwords are hashed in: a tenth of a second each, and nothing else waits for it.
import { parentPort } from 'node:worker_threads';
import { compareSync, hashSync } from 'bcryptjs';
import type { BcryptTask } from './bcrypt-thread.ts';

parentPort?.on('message', (task: BcryptTask) => {
  const { password } = task;
  parentPort?.postMessage(task.kind === 'hash' ? hashSync(password, task.salt) : isRight(password, task.hash));
});

function isRight(password: string, hash: string): boolean {
  try {
    return compareSync(password, hash);
  } catch {
    // No hash at all, as of a user that was given none: no password is right.
    return false;
  }
}
