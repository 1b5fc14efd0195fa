import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@quorate/base';
import { type DiscoveryQuestion, discoverServers } from './discover-servers.ts';

const secure = '_etcd-client-ssl._tcp.example.org';
const plain = '_etcd-client._tcp.example.org';
const at = (target: string, port: number) => ({ target, port, priority: 1, weight: 2 });

function discover(records: Readonly<Record<string, ReturnType<typeof at>[]>>, said: Partial<DiscoveryQuestion> = {}) {
  const question = { discoveryDomain: 'example.org', discoverySuffix: '', takesInsecure: false, trustedCaFile: '' };
  return discoverServers(
    silentLogger,
    { ...question, ...said },
    {
      records: async (name) => {
        const found = records[name];
        if (found === undefined) throw new Error(`lookup ${name}: no such host`);
        return found;
      },
    },
  );
}

test('servers with TLS are found, those without when they are wanted', async () => {
  const records = { [secure]: [at('a.example.org.', 1)], [plain]: [at('b.example.org.', 2)] };
  assert.deepEqual(await discover(records), [{ host: 'a.example.org', port: 1, priority: 1, weight: 2 }]);
  const all = await discover(records, { takesInsecure: true });
  assert.deepEqual(
    all.map(({ port }) => port),
    [1, 2],
  );
  assert.deepEqual(await discover({ [plain]: [at('b', 2)] }), []);
  assert.deepEqual(await discover({}, { discoveryDomain: '' }), []);
});

test('a suffix is part of the name; without any record the reasons are told', async () => {
  const found = await discover({ '_etcd-client-ssl-x._tcp.example.org': [at('a', 1)] }, { discoverySuffix: 'x' });
  assert.equal(found.length, 1);
  await assert.rejects(discover({}), {
    message: `dns lookup errors: lookup ${secure}: no such host and lookup ${plain}: no such host`,
  });
});
