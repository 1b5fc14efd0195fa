import { Etcd3, type Lease, STMConflictError, type Watcher } from 'etcd3';
import type { Options } from './options.ts';
import type { LaterWork, Report } from './support/report.ts';
import { launchFresh, scratchDir } from './support/server.ts';
import { errorText, sleep } from './support/text.ts';

// The npm client "etcd3", written against the real etcd by others, must work unchanged.

const WAIT_MS = 10_000;

interface Test {
  readonly name: string;
  readonly run: (client: Etcd3) => Promise<void>;
  readonly later?: LaterWork;
}

function expectEqual(what: string, found: unknown, expected: unknown): void {
  const left = JSON.stringify(found);
  const right = JSON.stringify(expected);
  if (left !== right) throw new Error(`${what}: ${left}, not ${right}`);
}

function within<T>(what: string, promise: Promise<T>): Promise<T> {
  return Promise.race([
    promise,
    sleep(WAIT_MS).then((): T => {
      throw new Error(`gave up waiting for ${what}`);
    }),
  ]);
}

async function expectFailure(what: string, promise: Promise<unknown>, pattern: RegExp): Promise<void> {
  const message = await promise.then(
    () => 'it succeeded',
    (error: unknown) => `${error instanceof Error ? error.constructor.name : ''} ${errorText(error)}`,
  );
  if (!pattern.test(message)) throw new Error(`${what}: expected ${pattern}, got "${message}"`);
}

async function putGetDelete(client: Etcd3): Promise<void> {
  await client.put('foo').value('bar');
  expectEqual('get', await client.get('foo').string(), 'bar');
  expectEqual('missing', await client.get('nothing').string(), null);
  await client.put('number').value(42);
  expectEqual('number', await client.get('number').number(), 42);
  await client.put('json').value(JSON.stringify({ a: [1, 2] }));
  expectEqual('json', await client.get('json').json(), { a: [1, 2] });
  await client.put('bytes').value(Buffer.from([0, 1, 255]));
  expectEqual('bytes', [...((await client.get('bytes').buffer()) ?? [])], [0, 1, 255]);
  expectEqual('exists', await client.get('foo').exists(), true);
  const previous = await client.put('foo').value('baz').getPrevious();
  expectEqual('previous', previous?.value.toString(), 'bar');
  const deleted = await client.delete().key('foo').getPrevious();
  expectEqual(
    'deleted',
    deleted.map((kv) => kv.value.toString()),
    ['baz'],
  );
  const response = await client.delete().key('foo');
  expectEqual('deleted again', response.deleted, '0');
  await expectFailure('empty key', Promise.resolve(client.put('').value('x')), /EmptyKey|key is not provided/);
}

async function ranges(client: Etcd3): Promise<void> {
  for (const [index, name] of ['r/a', 'r/b', 'r/c', 'r/d'].entries()) await client.put(name).value(`v${9 - index}`);
  expectEqual('prefix', await client.getAll().prefix('r/').strings(), {
    'r/a': 'v9',
    'r/b': 'v8',
    'r/c': 'v7',
    'r/d': 'v6',
  });
  expectEqual('keys', await client.getAll().prefix('r/').keys(), ['r/a', 'r/b', 'r/c', 'r/d']);
  expectEqual('count', await client.getAll().prefix('r/').count(), 4);
  expectEqual('limit', await client.getAll().prefix('r/').limit(2).keys(), ['r/a', 'r/b']);
  expectEqual('sort', await client.getAll().prefix('r/').sort('Value', 'Ascend').keys(), ['r/d', 'r/c', 'r/b', 'r/a']);
  expectEqual('sort by key', await client.getAll().prefix('r/').sort('Key', 'Descend').limit(1).keys(), ['r/d']);
  expectEqual('range', await client.getAll().inRange({ start: 'r/b', end: 'r/d' }).keys(), ['r/b', 'r/c']);
  const before = (await client.get('r/a').exec()).header.revision;
  await client.put('r/a').value('later');
  expectEqual('old revision', await client.get('r/a').revision(before).string(), 'v9');
  const namespaced = client.namespace('r/');
  expectEqual('namespace', await namespaced.get('b').string(), 'v8');
  const gone = await client.delete().prefix('r/');
  expectEqual('delete prefix', gone.deleted, '4');
}

async function transactions(client: Etcd3): Promise<void> {
  await client.put('t').value('1');
  const yes = await client
    .if('t', 'Value', '==', '1')
    .and('t', 'Version', '==', 1)
    .then(client.put('t').value('2'), client.get('t'))
    .else(client.get('t'))
    .commit();
  expectEqual('then', yes.succeeded, true);
  const no = await client.if('t', 'Value', '==', '1').then(client.put('t').value('3')).else(client.get('t')).commit();
  expectEqual('else', no.succeeded, false);
  expectEqual('else value', no.responses[0]?.response_range?.kvs[0]?.value.toString(), '2');
  await expectFailure(
    'duplicate key',
    client.if('t', 'Version', '>', 0).then(client.put('t').value('3'), client.put('t').value('4')).commit(),
    /DuplicateKey|duplicate key/,
  );
}

function nextEvent(watcher: Watcher, name: 'put' | 'delete'): Promise<{ key: string; value: string }> {
  return within(
    `a ${name} event`,
    new Promise((resolve) => {
      if (name === 'put') watcher.once('put', (kv) => resolve({ key: kv.key.toString(), value: kv.value.toString() }));
      else watcher.once('delete', (kv) => resolve({ key: kv.key.toString(), value: kv.value.toString() }));
    }),
  );
}

async function watches(client: Etcd3): Promise<void> {
  const watcher = await within('the watcher', client.watch().prefix('w/').withPreviousKV().create());
  let event = nextEvent(watcher, 'put');
  await client.put('w/a').value('1');
  expectEqual('put event', await event, { key: 'w/a', value: '1' });
  event = nextEvent(watcher, 'delete');
  await client.delete().key('w/a');
  expectEqual('delete event', await event, { key: 'w/a', value: '' });
  const second = await within('the second watcher', client.watch().key('w/b').create());
  event = nextEvent(second, 'put');
  await client.put('w/b').value('2');
  expectEqual('second watcher', await event, { key: 'w/b', value: '2' });
  const revision = (await client.get('w/b').exec()).header.revision;
  await client.put('w/c').value('3');
  const late = client.watch().key('w/c').startRevision(revision).watcher();
  expectEqual('from an old revision', await nextEvent(late, 'put'), { key: 'w/c', value: '3' });
  const deletesOnly = await within('the filtered watcher', client.watch().key('w/d').only('delete').create());
  event = nextEvent(deletesOnly, 'delete');
  await client.put('w/d').value('unseen');
  await client.delete().key('w/d');
  expectEqual('only deletes', (await event).key, 'w/d');
  for (const each of [watcher, second, late, deletesOnly]) await within('cancelling', each.cancel());
}

async function leases(client: Etcd3): Promise<void> {
  const lease: Lease = client.lease(60);
  const id = await within('the grant', lease.grant());
  await lease.put('l/a').value('1');
  expectEqual('lease of the key', (await client.get('l/a').exec()).kvs[0]?.lease, id);
  const alive = await within('keep-alive', lease.keepaliveOnce());
  expectEqual('ttl', alive.TTL, '60');
  const left = await client.leaseClient.leaseTimeToLive({ ID: id, keys: true });
  expectEqual(
    'attached',
    left.keys.map((key) => key.toString()),
    ['l/a'],
  );
  await within('revoking', lease.revoke());
  expectEqual('gone', await client.get('l/a').string(), null);
  await expectFailure(
    'lease not found',
    Promise.resolve(client.put('l/b').value('1').lease('4711')),
    /InvalidLease|requested lease not found/,
  );
}

async function shortLease(client: Etcd3): Promise<void> {
  const lease = client.lease(2, { autoKeepAlive: false });
  await lease.put('s/a').value('1');
  const watcher = await within('the watcher', client.watch().key('s/a').create());
  const began = Date.now();
  await nextEvent(watcher, 'delete');
  const took = Date.now() - began;
  if (took > 5000) throw new Error(`the lease of 2 s expired after ${took} ms`);
  await watcher.cancel();
}

async function locks(client: Etcd3): Promise<void> {
  const order: string[] = [];
  const lock = client.lock('lock').ttl(30);
  await within('the lock', lock.acquire());
  order.push('first');
  await expectFailure('a held lock', client.lock('lock').ttl(30).acquire(), /LockFailed|lock/i);
  await within('release', lock.release());
  await within(
    'the second lock',
    client
      .lock('lock')
      .ttl(30)
      .do(async () => {
        order.push('second');
      }),
  );
  expectEqual('order', order, ['first', 'second']);
}

const STM_WORKERS = 5;
const STM_INCREMENTS = 8;

async function stm(client: Etcd3): Promise<void> {
  await client.put('stm/counter').value('0');
  const increment = (): Promise<unknown> =>
    client.stm({ retries: 100 }).transact(async (tx) => {
      const current = Number(await tx.get('stm/counter').string());
      await tx.put('stm/counter').value(String(current + 1));
    });
  await within(
    'the transactions',
    Promise.all(
      Array.from({ length: STM_WORKERS }, async () => {
        for (let count = 0; count < STM_INCREMENTS; count++) await increment();
      }),
    ),
  );
  expectEqual('counter', await client.get('stm/counter').number(), STM_WORKERS * STM_INCREMENTS);
  const conflicting = client.stm({ retries: 0 }).transact(async (tx) => {
    await tx.get('stm/counter').string();
    await client.put('stm/counter').value('elsewhere');
    await tx.put('stm/counter').value('mine');
  });
  await expectFailure('a conflict', conflicting, new RegExp(STMConflictError.name));
}

async function elections(client: Etcd3): Promise<void> {
  const election = client.election('election', 30);
  const campaign = election.campaign('one');
  await within('being elected', new Promise((resolve) => campaign.once('elected', () => resolve(undefined))));
  expectEqual('leader', await election.leader(), 'one');
  await campaign.proclaim('two');
  expectEqual('leader after', await election.leader(), 'two');
  await within('resigning', campaign.resign());
  expectEqual('nobody', await election.leader(), undefined);
}

async function maintenance(client: Etcd3): Promise<void> {
  const status = await client.maintenance.status();
  if (Number(status.dbSize) <= 0) throw new Error(`dbSize is ${status.dbSize}`);
  const members = await client.cluster.memberList({});
  expectEqual(
    'members',
    members.members.map((member) => member.name),
    ['node1'],
  );
}

async function usersAndRoles(client: Etcd3): Promise<void> {
  const users = await client.getUsers();
  expectEqual('users', users.length, 0);
  const role = client.role('reader');
  await role.create();
  await role.grant({ permission: 'Read', range: client.range({ prefix: 'open/' }) });
  expectEqual(
    'permissions',
    (await role.permissions()).map((grant) => grant.permission),
    ['Read'],
  );
  const user = client.user('alice');
  await user.create('secret');
  await user.addRole('reader');
  expectEqual(
    'roles',
    (await user.roles()).map((each) => each.name),
    ['reader'],
  );
  await user.delete();
  await role.delete();
}

/** Values over the usual frame and window sizes. */
async function largeValues(client: Etcd3): Promise<void> {
  const value = 'x'.repeat(1_000_000);
  await Promise.all(Array.from({ length: 3 }, (_, index) => client.put(`large/${index}`).value(value)));
  const all = await client.getAll().prefix('large/').strings();
  expectEqual(
    'sizes',
    Object.values(all).map((each) => each.length),
    [1e6, 1e6, 1e6],
  );
  await client.delete().prefix('large/');
}

const tests: readonly Test[] = [
  { name: 'put, get, delete', run: putGetDelete },
  { name: 'ranges', run: ranges },
  { name: 'transactions', run: transactions },
  { name: 'watches', run: watches },
  { name: 'leases', run: leases },
  { name: 'a lease that expires', run: shortLease },
  { name: 'locks', run: locks },
  { name: 'software transactional memory', run: stm },
  { name: 'elections', run: elections },
  { name: 'maintenance', run: maintenance },
  { name: 'users, roles', run: usersAndRoles },
  { name: 'large values', run: largeValues },
];

export async function runEtcd3Suite(options: Options, report: Report): Promise<void> {
  const server = await launchFresh(options.serverUnderTest, scratchDir('etcd3'));
  const client = new Etcd3({ hosts: server.endpoint });
  try {
    for (const { name, run, later } of tests) {
      if (later !== undefined && !options.later) {
        report.later(`etcd3: ${name}`, '1 test', later);
        continue;
      }
      try {
        await run(client);
        report.pass(`etcd3: ${name}`);
      } catch (error) {
        report.fail(`etcd3: ${name}`, errorText(error));
      }
    }
  } finally {
    client.close();
    await server.stop();
  }
}
