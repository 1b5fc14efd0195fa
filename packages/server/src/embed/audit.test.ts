import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AnyMethod, services } from '@quorate/api';
import { silentLogger, utf8ToBytes } from '@quorate/base';
import { NodeClock, NodeRandom } from '@quorate/base/node';
import { createGrpcClient } from '@quorate/transport/node';
import { openAuditFile } from './audit-file.ts';
import { startQuorate } from './start-quorate.ts';

test('calls are recorded while authentication is on, under the names of their users', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-audit-'));
  const path = join(folder, 'audit.jsonl');
  const member = await startQuorate({ inMemory: true, flags: { 'bcrypt-cost': '4', 'audit-log': path } });
  const deps = { clock: new NodeClock(), logger: silentLogger, random: new NodeRandom() };
  const client = createGrpcClient(deps, { address: (member.clientUrls[0] as string).replace('http://', '') });
  t.after(async () => {
    client.close();
    await member.stop();
    rmSync(folder, { recursive: true });
  });
  const call = async (method: AnyMethod, request: object, token = '') => {
    const metadata: [string, string][] = token === '' ? [] : [['token', token]];
    const bytes = method.request.encode(method.request.create(request));
    return method.response.decode(await client.unary(method.path, bytes, { metadata }));
  };
  const { Auth, KV } = services;
  await call(Auth.methods.UserAdd, { name: 'root', password: 'secret' });
  await call(Auth.methods.UserGrantRole, { user: 'root', role: 'root' });
  await call(Auth.methods.AuthEnable, {});
  const { token } = (await call(Auth.methods.Authenticate, { name: 'root', password: 'secret' })) as { token: string };
  await call(KV.methods.Put, { key: utf8ToBytes('k'), value: utf8ToBytes('hidden') }, token);
  await assert.rejects(call(KV.methods.Put, { key: utf8ToBytes('k') }), /user name is empty/);
  await member.stop();
  const text = readFileSync(path, 'utf8');
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map(({ user, method, code }) => `${user} ${method.split('/')[2]} ${code}`);
  assert.deepEqual(lines, ['root Authenticate OK', 'root Put OK', ' Put InvalidArgument']);
  assert.ok(!text.includes('secret') && !text.includes('hidden'));
});

test('lines that the disk does not take in time are dropped beyond a bound, which is logged', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-audit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'audit.jsonl');
  const missing: unknown[] = [];
  const logged = new Promise<void>((resolve) => {
    const error = (_message: string, fields?: object) => {
      missing.push(fields);
      resolve();
    };
    void openAuditFile(path, { ...silentLogger, error }).then((file) => {
      // All in one turn: nothing is written meanwhile.
      for (let i = 0; i < 20_000; i++) file.write(`${'x'.repeat(999)}\n`);
      t.after(() => file.close());
    });
  });
  await logged;
  const lines = readFileSync(path, 'utf8').length / 1000;
  assert.ok(lines > 16_000 && lines < 17_000, `${lines} lines`);
  assert.deepEqual(missing, [{ lines: 20_000 - lines }]);
});
