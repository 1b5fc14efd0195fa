import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorSymbol, etcdserverpb } from '@quorate/api';
import { emptyBytes, latin1ToBytes, nextBelow, type Random, SeededRandom } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { compare, deleteOp, putOp, rangeOp, TestMachine, txnOp } from '../apply/testing/test-machine.ts';
import { nobody } from './identity.ts';
import { AuthMachine, permissionTypes } from './testing/auth-machine.ts';
import { type NaiveGrant, NaivePermissions } from './testing/naive-permissions.ts';

const clock = new NodeClock();
const bytes = latin1ToBytes;
const denied = 'ErrGRPCPermissionDenied' satisfies ErrorSymbol;

/** Root, and alice with a role that has these grants. */
async function withAlice(...grants: string[]): Promise<AuthMachine> {
  const auth = new AuthMachine(await TestMachine.open(clock));
  auth.setUp('user-add root', 'user-grant root root', 'user-add alice', 'role-add r', 'user-grant alice r');
  auth.setUp(...grants.map((grant) => `grant r ${grant}`), 'enable');
  return auth.as('alice');
}

function symbol(result: unknown): ErrorSymbol | 'ok' {
  return typeof result === 'string' ? (result as ErrorSymbol) : 'ok';
}

test('GHSA-rfx7-8w68-q57q: transactions within transactions are judged to the bottom, in both branches', async () => {
  const { machine } = await withAlice('readwrite a c');
  const inner = (operation: etcdserverpb.RequestOp) => [txnOp({ failure: [txnOp({ success: [operation] })] })];
  for (const operation of [putOp('z'), rangeOp('z'), deleteOp('z'), rangeOp('a', { rangeEnd: bytes('d') })]) {
    assert.equal(symbol(machine.txn({ success: inner(operation) })), denied);
    assert.equal(symbol(machine.txn({ failure: inner(operation) })), denied);
  }
  assert.equal(symbol(machine.txn({ success: [txnOp({ compare: [compare('z', {})] })] })), denied);
  assert.equal(symbol(machine.txn({ success: inner(putOp('b')) })), 'ok');
});

test('GHSA-xg4h-6gfc-h4m8: a grant on one key does not open all keys behind it', async () => {
  const { permissions, revision } = (await withAlice('read foo')).machine.auth;
  const alice = { username: 'alice', authRevision: revision };
  const open = bytes('\0');
  assert.equal(permissions.checkRange(alice, bytes('foo'), emptyBytes), undefined);
  assert.equal(permissions.checkRange(alice, bytes('foo'), open), denied);
  assert.equal(permissions.checkRange(alice, bytes('\0'), open), denied);
});

test('GHSA-q8m4-xhhv-38mg: nobody is let pass where somebody has to be', async () => {
  const auth = await withAlice('readwrite a c');
  const { machine } = auth.as('');
  machine.identity = nobody;
  assert.equal(machine.auth.permissions.checkAdmin(nobody), 'ErrGRPCUserEmpty');
  assert.equal(machine.put('a', 'v'), 'ErrGRPCUserEmpty');
  assert.equal(machine.delete('a'), 'ErrGRPCUserEmpty');
  assert.equal(symbol(machine.txn({ success: [putOp('a')] })), 'ErrGRPCUserEmpty');
  for (const line of ['user-list', 'role-list', 'disable', 'user-add x', 'grant r read a']) {
    assert.equal(auth.run(line), 'ErrGRPCUserEmpty', line);
  }
});

test('a put on a lease needs to write what hangs on it, and to read what it gives back', async () => {
  const auth = await withAlice('readwrite a c', 'write w');
  const { machine } = auth.as('root');
  machine.grant(1n);
  machine.put('z', 'v', { lease: 1n });
  auth.as('alice');
  const withLease = putOp('a', 'v', { lease: 1n });
  assert.equal(machine.put('a', 'v', { lease: 1n }), denied);
  assert.equal(symbol(machine.txn({ success: [withLease] })), denied);
  assert.equal(symbol(machine.txn({ failure: [txnOp({ success: [withLease] })] })), denied);
  assert.equal(machine.revoke(1n), denied);
  assert.equal(machine.put('w', 'v', { prevKv: true }), denied);
  assert.equal(symbol(machine.txn({ success: [putOp('w', 'v', { prevKv: true })] })), denied);
  assert.equal(symbol(machine.put('w', 'v')), 'ok');
  assert.equal(machine.delete('w', '', true), denied);
  auth.as('root');
  assert.equal(symbol(machine.put('a', 'v', { lease: 1n })), 'ok');
  assert.equal(symbol(machine.revoke(1n)), 'ok');
});

test('an older auth revision is told so, but not to an administrator of a lease', async () => {
  const auth = await withAlice('readwrite a c');
  const { machine } = auth;
  machine.identity = { username: 'alice', authRevision: machine.auth.revision - 1 };
  assert.equal(machine.put('a', 'v'), 'ErrGRPCAuthOldRevision');
  assert.equal(machine.delete('a', 'b'), 'ErrGRPCAuthOldRevision');
  auth.as('root').machine.grant(1n);
  machine.put('z', 'v', { lease: 1n });
  machine.identity = { username: 'root', authRevision: 1 };
  assert.equal(machine.put('a', 'v'), 'ErrGRPCAuthOldRevision');
  assert.equal(symbol(machine.revoke(1n)), 'ok');
});

test('what a user may follows its roles at once', async () => {
  const auth = await withAlice('readwrite a');
  const { machine } = auth;
  assert.equal(symbol(machine.put('a', 'v')), 'ok');
  auth.as('root').setUp('revoke r a').as('alice');
  assert.equal(machine.put('a', 'v'), denied);
  auth.as('root').setUp('grant r write a').as('alice');
  assert.equal(symbol(machine.put('a', 'v')), 'ok');
  auth.as('root').setUp('role-delete r').as('alice');
  assert.equal(machine.put('a', 'v'), denied);
  auth.as('root').setUp('user-delete alice').as('alice');
  assert.equal(machine.put('a', 'v'), denied);
});

const letters = ['a', 'b', 'c', 'd', 'e'];

/** Requests over five keys, of every kind and depth. */
class RequestMaker {
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  below(bound: number): number {
    return nextBelow(this.random, bound);
  }

  key(): string {
    return letters[this.below(letters.length)] as string;
  }

  /** The end behind a key: none, one behind it, or open. */
  endOf(key: string): string {
    const form = this.below(10);
    if (form < 5) return '';
    const behind = letters.filter((letter) => letter > key);
    return form < 9 && behind.length > 0 ? (behind[this.below(behind.length)] as string) : '\0';
  }

  operation(depth: number): etcdserverpb.RequestOp {
    const key = this.key();
    const end = this.endOf(key);
    switch (this.below(depth > 0 ? 5 : 3)) {
      case 0:
        return rangeOp(key, { rangeEnd: bytes(end) });
      case 1:
        return putOp(key, 'v', { prevKv: this.below(4) === 0, lease: BigInt(this.below(3)) });
      case 2:
        return deleteOp(key, end);
      default:
        return txnOp(this.txn(depth - 1));
    }
  }

  txn(depth: number): etcdserverpb.TxnRequest {
    const several = <T>(make: () => T) => Array.from({ length: this.below(3) }, make);
    const compares = several(() => {
      const key = this.key();
      return compare(key, { rangeEnd: bytes(this.endOf(key)) });
    });
    const operations = () => several(() => this.operation(depth));
    return etcdserverpb.TxnRequest.create({ compare: compares, success: operations(), failure: operations() });
  }
}

async function compareWithTwin(seed: number): Promise<void> {
  const make = new RequestMaker(new SeededRandom(seed));
  const auth = new AuthMachine(await TestMachine.open(clock));
  auth.setUp('user-add root', 'user-grant root root', 'user-add u');
  const { machine } = auth;
  const grants: NaiveGrant[] = [];
  for (const role of ['r1', 'r2', 'r3'].slice(0, 1 + make.below(3))) {
    auth.setUp(`role-add ${role}`, `user-grant u ${role}`);
    const ranges = new Set<string>();
    for (let i = make.below(4); i >= 0; i--) {
      const key = make.key();
      const rangeEnd = make.endOf(key);
      // A second grant on one range would replace the first.
      if (ranges.has(key + rangeEnd)) continue;
      ranges.add(key + rangeEnd);
      const type = Object.keys(permissionTypes)[make.below(3)] as keyof typeof permissionTypes;
      grants.push({ reads: type !== 'write', writes: type !== 'read', key, rangeEnd });
      auth.setUp(`grant ${role} ${type} ${key} ${rangeEnd === '' ? "''" : rangeEnd}`);
    }
  }
  for (const lease of [1n, 2n]) {
    machine.grant(lease);
    machine.put(make.key(), 'v', { lease });
  }
  auth.setUp('enable');
  const naive = new NaivePermissions(letters, grants, (lease) => machine.lessor.keysOf(lease));
  const identity = { username: 'u', authRevision: machine.auth.revision };
  for (let i = 0; i < 60; i++) {
    const request = make.txn(3);
    const expected = naive.allowsTxn(request) ? undefined : denied;
    const text = () =>
      `seed ${seed}, request ${i}: ${JSON.stringify({ request, grants }, (_, value) => (typeof value === 'bigint' ? `${value}` : value))}`;
    assert.equal(machine.auth.permissions.checkTxn(identity, request), expected, text());
  }
}

test('random roles and nested transactions are judged as by a twin that knows sets of keys only', async () => {
  const rounds = Number(process.env.QUORATE_ROUNDS ?? 1) * 60;
  const first = Number(process.env.QUORATE_SEED ?? 1);
  for (let seed = first; seed < first + rounds; seed++) await compareWithTwin(seed);
});

test('the permissions of one role do not depend on the order they came in', async () => {
  const lines = ['read c e', 'read a c', 'write b', 'readwrite x \\0'];
  const shown = new Set<string>();
  for (const order of [lines, [...lines].reverse()])
    shown.add((await withAlice(...order)).as('root').run('role-get r'));
  assert.equal(shown.size, 1);
});
