import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode, MemoryDisk } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { Database } from './database.ts';
import { decodeMeta, encodeMeta } from './meta.ts';

const clock = new NodeClock();
const text = (value: string) => Buffer.from(value);

test('a meta page is, byte for byte, the one a real etcd wrote', () => {
  const page = new Uint8Array(4096);
  const meta = { pageSize: 4096, rootId: 2, rootSequence: 0, freelistId: undefined, highWaterMark: 5, txid: 7 };
  encodeMeta(meta, 1, page, 0);
  const expected =
    '0100000000000000 0400 0000 00000000 edda0ced 02000000 00100000 00000000 0200000000000000 0000000000000000' +
    'ffffffffffffffff 0500000000000000 0700000000000000 e3e1c83539a45fa0';
  assert.equal(Buffer.from(page.subarray(0, 80)).toString('hex'), expected.replaceAll(' ', ''));
  assert.deepEqual(decodeMeta(page, 0), meta);
  page[40] = 1;
  assert.equal(decodeMeta(page, 0), 'checksum');
});

test('an inline bucket is laid out as a real etcd laid it out', async () => {
  const disk = new MemoryDisk();
  const database = await Database.open({ disk, clock }, '/db');
  const transaction = database.beginWrite();
  transaction.createBucket(text('alarm'));
  transaction.createBucket(text('auth')).put(text('authRevision'), new Uint8Array([0, 0, 0, 0, 0, 0, 0, 1]));
  await transaction.commit();
  const { rootId } = database.beginRead().meta;
  const page = Buffer.from(await disk.readFile('/db')).subarray(rootId * 4096, (rootId + 1) * 4096);
  const [first, second] = ['0000', '0000'].map(() => '0000000000000000');
  const elements = '01000000200000000500000020000000' + '01000000350000000400000044000000';
  const alarm = `${text('alarm').toString('hex')}${first}${second}${first}0200000000000000`;
  const auth = `${text('auth').toString('hex')}${first}${second}${first}0200010000000000${'00000000100000000c00000008000000'}`;
  const whole = `${elements}${alarm}${auth}${text('authRevision').toString('hex')}0000000000000001`;
  assert.equal(page.subarray(16, 16 + whole.length / 2).toString('hex'), whole);
});

test('a damaged meta page falls back to the other one; both damaged is an error', async () => {
  const disk = new MemoryDisk();
  const database = await Database.open({ disk, clock }, '/db');
  for (let i = 0; i < 5; i++) {
    const transaction = database.beginWrite();
    transaction.createBucket(text(`b${i}`));
    await transaction.commit();
  }
  const { txid } = database.beginRead().meta;
  await database.close();
  const file = await disk.open('/db', { write: true });
  await file.write([new Uint8Array([1])], (txid % 2) * 4096 + 64);
  const again = await Database.open({ disk, clock }, '/db', { readOnly: true });
  assert.equal(again.beginRead().meta.txid, txid - 1);
  await file.write([new Uint8Array([1])], ((txid + 1) % 2) * 4096 + 64);
  await assert.rejects(Database.open({ disk, clock }, '/db', { readOnly: true }), (error) =>
    hasCode(error, 'bbolt/checksum'),
  );
  await assert.rejects(Database.open({ disk, clock }, '/db', { lockTimeoutMs: 0 }), (error) =>
    hasCode(error, 'bbolt/timeout'),
  );
});

test('misuse is answered with typed errors', async () => {
  const disk = new MemoryDisk();
  const database = await Database.open({ disk, clock }, '/db');
  const transaction = database.beginWrite();
  const fails = (code: string, run: () => unknown) => assert.throws(run, (error) => hasCode(error, code), code);
  fails('bbolt/transaction-open', () => database.beginWrite());
  const bucket = transaction.createBucket(text('b'));
  fails('bbolt/bucket-exists', () => transaction.createBucket(text('b')));
  fails('bbolt/bucket-not-found', () => transaction.deleteBucket(text('c')));
  fails('bbolt/key-required', () => bucket.put(text(''), text('v')));
  fails('bbolt/key-too-large', () => bucket.put(new Uint8Array(32769), text('v')));
  bucket.put(new Uint8Array(32768), text('v'));
  bucket.createBucket(text('inner'));
  fails('bbolt/incompatible', () => bucket.put(text('inner'), text('v')));
  fails('bbolt/incompatible', () => bucket.delete(text('inner')));
  assert.equal(bucket.get(text('inner')), undefined);
  await transaction.commit();
  fails('bbolt/transaction-over', () => bucket.put(text('k'), text('v')));
  const read = database.beginRead();
  const inside = read.bucket(text('b'));
  read.close();
  fails('bbolt/transaction-over', () => inside?.get(text('zz')) ?? read.page(2));
  assert.deepEqual((await database.check()).errors, []);
  await database.close();
  fails('bbolt/closed', () => database.beginRead());
});

test('a corrupt page is found by check and by reading', async () => {
  const disk = new MemoryDisk();
  const database = await Database.open({ disk, clock }, '/db');
  const transaction = database.beginWrite();
  const bucket = transaction.createBucket(text('b'));
  for (let i = 0; i < 1000; i++) bucket.put(text(`key ${String(i).padStart(6, '0')}`), new Uint8Array(100));
  await transaction.commit();
  const root = database.beginRead().bucket(text('b'))?.rootId ?? 0;
  await database.close();
  const file = await disk.open('/db', { write: true });
  const page = new Uint8Array(4096);
  await file.read(page, root * 4096);
  const child = Buffer.from(page).readUInt32LE(16 + 8);
  await file.write([new Uint8Array([0xee])], child * 4096 + 16 + 4);
  await file.close();
  const damaged = await Database.open({ disk, clock }, '/db', { readOnly: true });
  assert.notDeepEqual((await damaged.check()).errors, []);
  await file.close();
});
