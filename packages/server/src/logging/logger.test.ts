import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { openJournal } from './journal.ts';
import { createLogger } from './json-logger.ts';
import { RotatingFile } from './rotating-file.ts';
import { LogSampler } from './sampler.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'quorate-log-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('lines have level, time, place, message, then fields; errors a stack trace', (t) => {
  const path = join(folder(t), 'x.log');
  const logger = createLogger({ level: 'info', format: 'json', outputs: [path] });
  logger.debug('not this');
  logger.info('hello', { id: 0xabn, error: new Error('why') });
  logger.error('bad');
  const [first, second] = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(Object.keys(first), ['level', 'ts', 'caller', 'msg', 'id', 'error']);
  assert.match(first.ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d{4})$/);
  assert.match(first.caller, /^logging\/logger\.test\.[jt]s:\d+$/);
  assert.deepEqual([first.id, first.error], ['ab', 'why']);
  assert.match(second.stacktrace, /logger\.test/);
});

test('the console format is columns, fields as spaced JSON', (t) => {
  const path = join(folder(t), 'x.log');
  const logger = createLogger({ level: 'warn', format: 'console', outputs: [path] }, 'here');
  logger.warn('hello', { list: ['a', 'b'], text: 'x,\n{y' });
  logger.warn('bare');
  const [first, second] = readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.split('\t').slice(1).join('|'));
  assert.equal(first, 'warn|here|hello|{"list": ["a", "b"], "text": "x,\\n{y"}');
  assert.equal(second, 'warn|here|bare');
});

test('of one text, a hundred a second are written, then every hundredth', () => {
  const sampler = new LogSampler();
  const taken = (nowMs: number, count: number) =>
    Array.from({ length: count }, () => sampler.takes('info', 'x', nowMs)).filter((takes) => takes).length;
  assert.equal(taken(0, 100), 100);
  assert.equal(taken(500, 199), 1);
  assert.equal(taken(999, 1), 1);
  assert.ok(sampler.takes('info', 'other', 999));
  assert.ok(sampler.takes('warn', 'x', 999));
  assert.equal(taken(1_000, 100), 100);
});

test('a full file is put aside under its time; only so many are kept, compressed', async (t) => {
  const directory = folder(t);
  let now = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  const limits = { sizeMegabytesMax: 1, ageDaysMax: 0, backupsMax: 2, inLocalTime: false, compresses: true };
  const file = new RotatingFile(join(directory, 'etcd.log'), limits, () => new Date(now));
  const line = (letter: string) => `${letter.repeat(1024 * 1024 - 1)}\n`;
  for (const letter of ['a', 'b', 'c', 'd']) {
    file.write(line(letter));
    await file.flush();
    now += 1_000;
  }
  file.close();
  const names = readdirSync(directory).sort();
  assert.deepEqual(names, ['etcd-2026-01-02T03-04-07.678.log.gz', 'etcd-2026-01-02T03-04-08.678.log.gz', 'etcd.log']);
  assert.equal(gunzipSync(readFileSync(join(directory, names[1] as string))).toString(), line('c'));
  assert.equal(readFileSync(join(directory, 'etcd.log'), 'utf8'), line('d'));
});

test('what is too old goes, other files stay', async (t) => {
  const directory = folder(t);
  let now = Date.UTC(2026, 0, 1);
  const limits = { sizeMegabytesMax: 1, ageDaysMax: 1, backupsMax: 0, inLocalTime: false, compresses: false };
  const file = new RotatingFile(join(directory, 'e.log'), limits, () => new Date(now));
  const other = new RotatingFile(join(directory, 'e-mail.log'), limits);
  file.write('x'.repeat(1024 * 1024));
  file.write('y'.repeat(1024 * 1024));
  now += 2 * 24 * 3_600_000;
  file.write('z');
  await file.flush();
  assert.deepEqual(readdirSync(directory).sort(), ['e-2026-01-03T00-00-00.000.log', 'e-mail.log', 'e.log']);
  file.close();
  other.close();
});

test('the journal hears who speaks, then each line with its priority', async (t) => {
  const path = join(folder(t), 'stdout');
  const chunks: Buffer[] = [];
  const heard = () => Buffer.concat(chunks).toString();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  const complete = new Promise<void>((resolve) => {
    server.on('connection', (socket) =>
      socket.on('data', (bytes) => {
        chunks.push(bytes);
        if (!heard().includes('second')) return;
        socket.destroy();
        resolve();
      }),
    );
  });
  const journal = openJournal(path);
  journal.write('{"msg":"first"}\n', 'error');
  journal.write('second\n', 'debug');
  await journal.flush();
  await complete;
  assert.equal(heard(), 'quorate\n\n6\n1\n0\n0\n0\n<3>{"msg":"first"}\n<7>second\n');
  assert.throws(() => openJournal(`${path}-not`), /^Error: can't find journal/);
});

test('a journal that takes nothing costs a bounded memory, and hears how many lines it missed', async (t) => {
  const path = join(folder(t), 'stdout');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  const accepted = new Promise<Socket>((resolve) => server.once('connection', (socket) => resolve(socket.pause())));
  const journal = openJournal(path);
  const line = `${'x'.repeat(10_000)}\n`;
  for (let i = 0; i < 1000; i++) journal.write(line, 'info');
  const socket = await accepted;
  let heard = '';
  const complete = new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      heard += bytes;
      if (heard.endsWith('last\n')) resolve();
    });
  });
  socket.resume();
  await journal.flush();
  journal.write('last\n', 'info');
  await complete;
  socket.destroy();
  const missing = Number(/<4>(\d+) lines are missing/.exec(heard)?.[1]);
  const written = heard.split('x\n').length - 1;
  assert.equal(written + missing, 1000);
  assert.ok(written < 150, `${written} lines of 10 kB`);
});
