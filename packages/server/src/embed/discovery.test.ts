import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Init, type Method, services } from '@quorate/api';
import { silentLogger, utf8ToBytes } from '@quorate/base';
import { NodeClock, NodeRandom } from '@quorate/base/node';
import { createGrpcClient } from '@quorate/transport/node';
import { freePorts } from '../testing/free-ports.ts';
import type { RunningMember } from './start-member.ts';
import { startQuorate } from './start-quorate.ts';

async function call<Q extends object, A extends object>(
  url: string,
  method: Method<Q, A>,
  request: Init<Q>,
): Promise<A> {
  const deps = { clock: new NodeClock(), logger: silentLogger, random: new NodeRandom() };
  const client = createGrpcClient(deps, { address: url.replace('http://', '') });
  try {
    const bytes = method.request.encode(method.request.create(request));
    return method.response.decode(await client.unary(method.path, bytes));
  } finally {
    client.close();
  }
}

test('three members find each other by a registry in a fourth', async (t) => {
  const started: RunningMember[] = [];
  t.after(async () => {
    for (const member of started) await member.stop();
  });
  const registry = await startQuorate({ inMemory: true });
  started.push(registry);
  const endpoint = registry.clientUrls[0] as string;
  const size = { key: utf8ToBytes('/_etcd/registry/t/_config/size'), value: utf8ToBytes('3') };
  await call(endpoint, services.KV.methods.Put, size);
  const ports = await freePorts(4);
  const start = (i: number) =>
    startQuorate({
      inMemory: true,
      peerUrls: [`http://127.0.0.1:${ports[i]}`],
      flags: { name: `m${i}`, 'discovery-token': 't', 'discovery-endpoints': endpoint },
    });
  const members = await Promise.all([0, 1, 2].map(start));
  started.push(...members);
  const first = members[0]?.clientUrls[0] as string;
  const known = await call(first, services.Cluster.methods.MemberList, {});
  assert.deepEqual(known.members.map(({ name }) => name).sort(), ['m0', 'm1', 'm2']);
  assert.equal(new Set(members.map(({ clusterId }) => clusterId)).size, 1);
  await assert.rejects(start(3), /discovery: cluster is full/);
});
