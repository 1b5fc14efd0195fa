import { utf8ToBytes } from '@quorate/base';

/** bcrypt, which takes its time: off the event loop but for `hashNow`. What is behind the first 72 bytes of a password does not count. */
export interface PasswordHashing {
  hash(password: string): Promise<string>;
  hashNow(password: string): string;
  compare(password: string, hash: string): Promise<boolean>;
  /** A digest under a secret of this process: says nothing to who finds it. */
  digest(text: string): string;
}

/** bcrypt takes no more of a password. */
const passwordBytesMax = 72;
/** Hashes under way at once: one in the thread for them, one that waits there. */
const workersMax = 2;
/** Hashes that wait for a worker. */
const waitingMax = 1_000;
/** Passwords remembered as right. */
const verifiedMax = 1_000;

export type Hashed = { readonly hash: string } | 'ErrGRPCRequestTooManyRequests';

/** Hashes and checks passwords, a few at a time. One that was found right is not worked out again while the user keeps it. */
export class Passwords {
  private readonly hashing: PasswordHashing;
  private working = 0;
  private readonly waiting: (() => void)[] = [];
  /** Digests of user, password and hash that belong together, the longest unused first. */
  private readonly verified = new Set<string>();

  constructor(hashing: PasswordHashing) {
    this.hashing = hashing;
  }

  isTooLong(password: string): boolean {
    return utf8ToBytes(password).length > passwordBytesMax;
  }

  /** Not of one that is too long. */
  async hash(password: string): Promise<Hashed> {
    const hash = await this.work(() => this.hashing.hash(password));
    return hash === undefined ? 'ErrGRPCRequestTooManyRequests' : { hash };
  }

  /** Of an entry that holds a plain password: all members apply it the same way, though each with a salt of its own. */
  hashNow(password: string): string {
    return this.hashing.hashNow(password);
  }

  async verify(username: string, password: string, hash: string): Promise<boolean | 'ErrGRPCRequestTooManyRequests'> {
    const digest = this.hashing.digest(JSON.stringify([username, password, hash]));
    if (this.verified.delete(digest)) {
      this.verified.add(digest);
      return true;
    }
    const isRight = await this.work(() => this.hashing.compare(password, hash));
    if (isRight === undefined) return 'ErrGRPCRequestTooManyRequests';
    if (isRight) {
      this.verified.add(digest);
      if (this.verified.size > verifiedMax) this.verified.delete(this.verified.values().next().value as string);
    }
    return isRight;
  }

  /** Runs `action` when its turn comes; undefined when too many wait. */
  private async work<Result>(action: () => Promise<Result>): Promise<Result | undefined> {
    if (this.working >= workersMax) {
      if (this.waiting.length >= waitingMax) return undefined;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else this.working++;
    try {
      return await action();
    } finally {
      // The worker goes on to who waits longest.
      const next = this.waiting.shift();
      if (next === undefined) this.working--;
      else next();
    }
  }
}
