import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@quorate/base';
import { makeBcryptHashing } from './node/bcrypt-hashing.ts';
import { type PasswordHashing, Passwords } from './passwords.ts';

const hashing = makeBcryptHashing(4, silentLogger);

async function hashOf(passwords: Passwords, password: string): Promise<string> {
  const hashed = await passwords.hash(password);
  assert.ok(typeof hashed !== 'string', 'it is hashed');
  return hashed.hash;
}

test('hashes in the form of etcd, and those that etcd made', async () => {
  const passwords = new Passwords(hashing);
  assert.match(await hashOf(passwords, 'secret'), /^\$2a\$04\$.{53}$/);
  // By golang.org/x/crypto/bcrypt.
  const ofGo = '$2a$04$uR7zyB49cLKsZekUDNC0mO68n4vs7gM4khfUqYUnxg18hl6JPDE5O';
  assert.equal(await passwords.verify('u', 'secret', ofGo), true);
  assert.equal(await passwords.verify('u', 'other', ofGo), false);
  for (const broken of ['', 'x', '$2a$04$short']) assert.equal(await passwords.verify('u', '', broken), false);
});

test('a password has at most 72 bytes; the empty one and those with a zero byte are passwords, too', async () => {
  const passwords = new Passwords(hashing);
  for (const password of ['x'.repeat(73), 'é'.repeat(37)]) assert.equal(passwords.isTooLong(password), true);
  for (const password of ['', 'x'.repeat(72), 'a\0b', 'é'.repeat(36)]) {
    assert.equal(passwords.isTooLong(password), false);
    const hash = await hashOf(passwords, password);
    assert.equal(await passwords.verify('u', password, hash), true);
    assert.equal(await passwords.verify('u', `${password.slice(0, -1)}?`, hash), false);
  }
  // What a client sends beyond the limit is not looked at, as in etcd; not even at 256 bytes, where bcrypt once began anew.
  const hash = await hashOf(passwords, 'x'.repeat(72));
  assert.equal(await passwords.verify('u', 'x'.repeat(300), hash), true);
  assert.equal(await passwords.verify('u', 'x'.repeat(71), hash), false);
});

test('a cost that bcrypt does not have is replaced by the default with a warning', async () => {
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => warnings.push(message) };
  assert.match(await makeBcryptHashing(3, logger).hash('x'), /^\$2a\$10\$/);
  assert.deepEqual(warnings, ['use default bcrypt cost instead of the invalid given cost']);
});

/** Compares when told to. */
class HeldHashing implements PasswordHashing {
  readonly held: (() => void)[] = [];
  compared = 0;

  hash(): Promise<string> {
    return this.hold('hash');
  }

  hashNow(): string {
    return 'hash';
  }

  compare(password: string, hash: string): Promise<boolean> {
    this.compared++;
    return this.hold(hash === `hash of ${password}`);
  }

  digest(text: string): string {
    return text;
  }

  async finish(): Promise<void> {
    while (this.held.length > 0) {
      for (const go of this.held.splice(0)) go();
      await new Promise(setImmediate);
    }
  }

  private hold<Result>(result: Result): Promise<Result> {
    return new Promise((resolve) => this.held.push(() => resolve(result)));
  }
}

test('a password found right is not worked out again, unless the user, the password or the hash is another', async () => {
  const held = new HeldHashing();
  const passwords = new Passwords(held);
  const verify = async (user: string, password: string, hash: string) => {
    const answer = passwords.verify(user, password, hash);
    await held.finish();
    return answer;
  };
  assert.equal(await verify('a', 'p', 'hash of p'), true);
  assert.equal(await verify('a', 'p', 'hash of p'), true);
  assert.equal(held.compared, 1);
  assert.equal(await verify('b', 'p', 'hash of p'), true);
  assert.equal(await verify('a', 'p', 'hash of q'), false);
  assert.equal(await verify('a', 'q', 'hash of p'), false);
  assert.equal(await verify('a', 'q', 'hash of p'), false);
  assert.equal(held.compared, 5);
});

test('what was found right is forgotten when there is too much of it', async () => {
  const held = new HeldHashing();
  const passwords = new Passwords(held);
  for (let i = 0; i <= 1_000; i++) {
    const answer = passwords.verify(`u${i}`, 'p', 'hash of p');
    await held.finish();
    await answer;
  }
  const before = held.compared;
  await passwords.verify('u1000', 'p', 'hash of p');
  assert.equal(held.compared, before);
  const answer = passwords.verify('u0', 'p', 'hash of p');
  await held.finish();
  await answer;
  assert.equal(held.compared, before + 1);
});

test('two are worked on at once; those that wait are bounded', async () => {
  const held = new HeldHashing();
  const passwords = new Passwords(held);
  const answers = Array.from({ length: 1_002 }, (_, i) => passwords.verify(`u${i}`, 'p', 'hash of p'));
  assert.equal(held.held.length, 2);
  assert.equal(await passwords.verify('late', 'p', 'hash of p'), 'ErrGRPCRequestTooManyRequests');
  assert.equal(await passwords.hash('p'), 'ErrGRPCRequestTooManyRequests');
  await held.finish();
  assert.ok((await Promise.all(answers)).every((answer) => answer === true));
  assert.equal(held.compared, 1_002);
});
