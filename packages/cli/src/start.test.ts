import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type LogFields, type Logger, silentLogger } from '@quorate/base';
import { dataDirKind } from './data-dir-kind.ts';
import { defaultInterface } from './default-host.ts';
import { describeError } from './describe-error.ts';
import { parseOpenFilesMax } from './open-files.ts';
import { notifyServiceManager } from './service-manager.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'quorate-cli-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A logger that keeps what it hears. */
function recorder(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const write = (level: string) => (message: string, fields?: LogFields) => {
    lines.push(`${level} ${message}${fields?.filename === undefined ? '' : ` ${fields.filename}`}`);
  };
  return { lines, logger: { ...silentLogger, info: write('info'), warn: write('warn'), error: write('error') } };
}

test('a data directory is told by what is in it, and what does not belong there is named', (t) => {
  const { logger, lines } = recorder();
  const path = join(folder(t), 'data');
  assert.equal(dataDirKind(logger, path), 'empty');
  mkdirSync(join(path, 'member'), { recursive: true });
  writeFileSync(join(path, 'stray'), '');
  assert.equal(dataDirKind(logger, path), 'member');
  mkdirSync(join(path, 'proxy'));
  assert.equal(dataDirKind(silentLogger, path), 'broken');
  rmSync(join(path, 'member'), { recursive: true });
  assert.equal(dataDirKind(silentLogger, path), 'proxy');
  assert.deepEqual(lines, ['warn found invalid file under data directory stray']);
});

test('the interface of the default route is the one whose destination and mask are nothing', () => {
  const head = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask';
  const local = 'eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF';
  const route = 'eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000';
  assert.equal(defaultInterface([head, local, route].join('\n')), 'eth0');
  assert.equal(defaultInterface([head, local].join('\n')), undefined);
});

test('the limit of open files is the one in effect', () => {
  const row = (soft: string) =>
    `Max processes 1 2 p\nMax open files            ${soft}                 4096        files \n`;
  assert.equal(parseOpenFilesMax(row('1024')), 1024);
  assert.equal(parseOpenFilesMax(row('unlimited')), undefined);
});

test('errors are told with their causes, none twice, ports that are taken in the words of etcd', async (t) => {
  const cause = new Error('within');
  assert.equal(describeError(new Error('around', { cause })), 'around: within');
  assert.equal(describeError(new Error('within', { cause })), 'within');
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const [error] = await once(createServer().listen(port, '127.0.0.1'), 'error').then(
    (values) => values,
    (reason: unknown) => [reason],
  );
  assert.equal(describeError(error), `listen tcp 127.0.0.1:${port}: bind: address already in use`);
});

test('systemd is told through its own command, only where it asks, and a failure is logged alone', async (t) => {
  const path = folder(t);
  const command = join(path, 'systemd-notify');
  writeFileSync(command, `#!/bin/sh\necho "$NOTIFY_SOCKET $@" > ${join(path, 'said')}\n`);
  chmodSync(command, 0o755);
  const told = recorder();
  await notifyServiceManager(told.logger, { PATH: `${path}:${process.env.PATH}`, NOTIFY_SOCKET: '/run/x' });
  assert.equal(readFileSync(join(path, 'said'), 'utf8'), `/run/x --ready --pid=${process.pid}\n`);
  assert.deepEqual(told.lines, ['info notifying init daemon', 'info successfully notified init daemon']);
  const silent = recorder();
  await notifyServiceManager(silent.logger, { PATH: '/nowhere' });
  assert.deepEqual(silent.lines, told.lines);
  const failed = recorder();
  await notifyServiceManager(failed.logger, { PATH: '/nowhere', NOTIFY_SOCKET: '/run/x' });
  assert.deepEqual(failed.lines, ['info notifying init daemon', 'error failed to notify systemd for readiness']);
});
