import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { silentLogger } from '@quorate/base';
import { freePorts } from '../testing/free-ports.ts';
import type { RunningMember, StartOptions } from './start-member.ts';
import { startQuorate } from './start-quorate.ts';

async function statusOf(url: string): Promise<number | undefined> {
  const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

/** Resolves when the message is logged. */
function loggerThatWaits(message: string): { readonly logger: StartOptions['logger']; readonly said: Promise<void> } {
  let said = () => {};
  const promise = new Promise<void>((resolve) => {
    said = resolve;
  });
  const info = (text: string) => {
    if (text === message) said();
  };
  return { logger: { ...silentLogger, info }, said: promise };
}

test('one of two members has its ports; clients wait for the other one, metrics and health do not', async (t) => {
  const [peerA, peerB, client, metrics] = (await freePorts(4)) as [number, number, number, number];
  const peers = [`http://127.0.0.1:${peerA}`, `http://127.0.0.1:${peerB}`] as const;
  const start = (name: 'a' | 'b', logger = silentLogger) =>
    startQuorate({
      inMemory: true,
      logger,
      clientUrls: [`http://127.0.0.1:${name === 'a' ? client : 0}`],
      peerUrls: [peers[name === 'a' ? 0 : 1]],
      flags: {
        name,
        'initial-cluster': `a=${peers[0]},b=${peers[1]}`,
        ...(name === 'a' ? { 'listen-metrics-urls': `http://127.0.0.1:${metrics}` } : {}),
      },
    });
  const { logger, said } = loggerThatWaits('now serving peer/client/metrics');
  const first = start('a', logger);
  const started: RunningMember[] = [];
  t.after(() => Promise.all(started.map((member) => member.stop())));
  await said;
  let answered = false;
  const waiting = statusOf(`http://127.0.0.1:${client}/version`).finally(() => {
    answered = true;
  });
  assert.equal(await statusOf(`http://127.0.0.1:${metrics}/health`), 503);
  assert.equal(await statusOf(`http://127.0.0.1:${metrics}/health?serializable=true`), 200);
  assert.equal(await statusOf(`http://127.0.0.1:${metrics}/livez`), 200);
  assert.equal(await statusOf(`http://127.0.0.1:${metrics}/metrics`), 200);
  const readiness = statusOf(`http://127.0.0.1:${metrics}/readyz`);
  assert.equal(answered, false);
  started.push(...(await Promise.all([first, start('b')])));
  assert.equal(await waiting, 200);
  assert.equal(await readiness, 200);
});

test('a client port that is taken is found before anything is written', async (t) => {
  const taken = await startQuorate({ inMemory: true });
  t.after(() => taken.stop());
  const messages: string[] = [];
  const logger = { ...silentLogger, info: (text: string) => messages.push(text) };
  await assert.rejects(startQuorate({ inMemory: true, logger, clientUrls: taken.clientUrls }), { code: 'EADDRINUSE' });
  assert.deepEqual(messages, ['configuring client listeners', 'closing etcd server', 'closed etcd server']);
});
