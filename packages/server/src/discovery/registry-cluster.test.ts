import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Logger, silentLogger } from '@quorate/base';
import { ManualClock } from '../testing/manual-clock.ts';
import { joinByRegistry, type Registry, type RegistryEntry } from './registry-cluster.ts';

const root = '/_etcd/registry/t';

/** A registry in memory; `failures` are the answers it fails first. */
class FakeRegistry implements Registry {
  readonly entries = new Map<string, RegistryEntry>();
  failures = 0;
  private revision = 0;
  private readonly waiting: (() => void)[] = [];

  get(key: string): Promise<string | undefined> {
    if (this.failures-- > 0) return Promise.reject(new Error('not reached'));
    return Promise.resolve(this.entries.get(key)?.value);
  }

  list(prefix: string): ReturnType<Registry['list']> {
    const entries = [...this.entries.values()].filter(({ key }) => key.startsWith(prefix));
    return Promise.resolve({ entries, revision: this.revision });
  }

  put(key: string, value: string): Promise<void> {
    const createRevision = this.entries.get(key)?.createRevision ?? ++this.revision;
    this.entries.set(key, { key, value, createRevision });
    for (const wake of this.waiting.splice(0)) wake();
    return Promise.resolve();
  }

  changed(_prefix: string, sinceRevision: number): Promise<void> {
    if (this.revision > sinceRevision) return Promise.resolve();
    return new Promise((resolve) => void this.waiting.push(resolve));
  }
}

function join(registry: Registry, id: number, clock = new ManualClock(), logger: Logger = silentLogger) {
  const question = { token: 't', memberId: BigInt(id), self: `m${id}=http://h${id}:1` };
  return joinByRegistry({ clock, logger, registry }, question);
}

async function registryOf(size: string): Promise<FakeRegistry> {
  const registry = new FakeRegistry();
  await registry.put(`${root}/_config/size`, size);
  return registry;
}

test('members wait until all are there, and come to the same cluster', async () => {
  const registry = await registryOf('3');
  const clusters = await Promise.all([12, 10, 11].map((id) => join(registry, id)));
  const expected = 'm12=http://h12:1,m10=http://h10:1,m11=http://h11:1';
  assert.deepEqual(clusters, [expected, expected, expected]);
  assert.ok(registry.entries.has(`${root}/members/a`));
  await assert.rejects(join(registry, 13), /^CodedError: discovery: cluster is full|discovery: cluster is full/);
  assert.equal(registry.entries.has(`${root}/members/d`), false);
  // Who was there before finds its place again.
  assert.equal(await join(registry, 12), expected);
});

test('what is no member does not count', async () => {
  const registry = await registryOf('1');
  await registry.put(`${root}/members/x`, 'nonsense');
  assert.equal(await join(registry, 1), 'm1=http://h1:1');
});

test('without a size, or with a bad one, nobody is registered', async () => {
  await assert.rejects(join(new FakeRegistry(), 1), /discovery: size key not found/);
  for (const size of ['0', '-1', 'x', '1.5']) {
    await assert.rejects(join(await registryOf(size), 1), /discovery: size key is bad/, size);
  }
});

test('a registry that is not reached is asked again after 2, 4, … 256 seconds, for ever', async () => {
  const registry = await registryOf('1');
  registry.failures = 10;
  const clock = new ManualClock();
  const pauses: unknown[] = [];
  const logger = {
    ...silentLogger,
    warn: (_: string, fields?: { backoff?: unknown }) => void pauses.push(fields?.backoff),
  };
  const joined = join(registry, 1, clock, logger);
  await clock.advance(2_000_000);
  assert.equal(await joined, 'm1=http://h1:1');
  assert.deepEqual(pauses, ['2s', '4s', '8s', '16s', '32s', '64s', '128s', '256s', '256s', '256s']);
});
