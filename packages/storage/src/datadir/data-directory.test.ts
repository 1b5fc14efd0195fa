import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { hasCode, type LogFields, MemoryDisk, SeededRandom, silentLogger } from '@quorate/base';
import { NodeDisk } from '@quorate/base/node';
import { DataDirectory, hasMemberData, layoutOf } from './data-directory.ts';

test('the layout of etcd', () => {
  assert.deepEqual(layoutOf('/data/'), {
    root: '/data',
    member: '/data/member',
    snap: '/data/member/snap',
    wal: '/data/member/wal',
    database: '/data/member/snap/db',
    lock: '/data/member/quorate.lock',
  });
  assert.equal(layoutOf('default.etcd', '/fast/wal/').wal, '/fast/wal');
});

test('makes directories that survive power loss, and keeps a second member out', async () => {
  const disk = new MemoryDisk();
  const deps = { disk, logger: silentLogger };
  const layout = layoutOf('/var/data');
  const opened = await DataDirectory.open(deps, layout);
  await assert.rejects(DataDirectory.open(deps, layout), (error) => hasCode(error, 'datadir/locked'));
  await opened.close();
  await (await DataDirectory.open(deps, layout)).close();
  disk.crash(new SeededRandom(1), 'synced');
  assert.equal(await disk.exists(layout.snap), true);
  assert.equal(await hasMemberData(deps, layout), false);
  await disk.makeDirectory(layout.wal);
  await (await disk.open(`${layout.wal}/x.wal`, { write: true, create: true })).close();
  assert.equal(await hasMemberData(deps, layout), true);
});

test('warns of strangers, refuses member beside proxy and what cannot be written', async () => {
  const warned: (LogFields | undefined)[] = [];
  const disk = new MemoryDisk();
  const deps = { disk, logger: { ...silentLogger, warn: (_: string, fields?: LogFields) => void warned.push(fields) } };
  await disk.makeDirectory('/data/lost+found');
  await (await DataDirectory.open(deps, layoutOf('/data'))).close();
  assert.deepEqual(warned, [{ filename: 'lost+found', 'data-dir': '/data' }]);
  await disk.makeDirectory('/data/proxy');
  await assert.rejects(DataDirectory.open(deps, layoutOf('/data')), (error) =>
    hasCode(error, 'datadir/both-member-and-proxy'),
  );
  disk.onOperation = (operation, name) => (operation === 'create' && name.endsWith('.touch') ? 'fail' : undefined);
  await assert.rejects(DataDirectory.open(deps, layoutOf('/other')), (error) => hasCode(error, 'datadir/not-writable'));
});

test('on the real disk: modes, no traces of the probe, the lock', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'quorate-datadir-'));
  try {
    const deps = { disk: new NodeDisk(), logger: silentLogger };
    const layout = layoutOf(`${root}/data`);
    const opened = await DataDirectory.open(deps, layout);
    for (const name of [layout.root, layout.member, layout.snap]) assert.equal(fs.statSync(name).mode & 0o777, 0o700);
    assert.deepEqual(fs.readdirSync(layout.snap), []);
    await assert.rejects(DataDirectory.open(deps, layout), (error) => hasCode(error, 'datadir/locked'));
    await opened.close();
    await (await DataDirectory.open(deps, layout)).close();
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
});
