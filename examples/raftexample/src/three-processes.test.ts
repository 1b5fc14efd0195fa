import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/* The session of README.md, over real processes. Each test goes on where the one before has ended. */

const main = fileURLToPath(new URL('./main.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'raftexample-'));
const deadlineMs = 15_000;
/** So few that nodes which were away get a snapshot. */
const snapshots = ['--snapshot-count', '20', '--snapshot-catchup-entries', '5'];

/** What a running node needs beside its id. */
interface Places {
  readonly ports: readonly number[];
  readonly peerUrls: readonly string[];
}

class Node {
  readonly id: number;
  readonly url: string;
  readonly peerUrl: string;
  log = '';
  private readonly child: ChildProcess;

  /** @param clusterSize how many nodes it is told of */
  constructor({ ports, peerUrls }: Places, id: number, clusterSize = 3, flags: readonly string[] = []) {
    this.id = id;
    const port = ports[id - 1] as number;
    this.url = `http://127.0.0.1:${port}`;
    this.peerUrl = peerUrls[id - 1] as string;
    const cluster = peerUrls.slice(0, clusterSize).join(',');
    const args = ['--id', String(id), '--cluster', cluster, '--port', String(port), ...snapshots, ...flags];
    this.child = spawn(process.execPath, [main, ...args], { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** @returns its exit code, or the signal that ended it */
  async ended(signal?: NodeJS.Signals): Promise<number | string> {
    if (signal !== undefined) this.child.kill(signal);
    if (this.isRunning) await once(this.child, 'exit', { signal: AbortSignal.timeout(deadlineMs) });
    return this.child.exitCode ?? this.child.signalCode ?? '';
  }

  async ask(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
    const signal = AbortSignal.timeout(deadlineMs);
    const answer = await fetch(this.url + path, { method, signal, ...(body === undefined ? {} : { body }) });
    return { status: answer.status, text: await answer.text() };
  }

  async has(key: string, value: string): Promise<boolean> {
    const { status, text } = await this.ask('GET', key);
    return status === 200 && text === value;
  }
}

const nodes = new Map<number, Node>();
let places: Places;

function node(id: number): Node {
  return nodes.get(id) as Node;
}

function running(): Node[] {
  return [...nodes.values()].filter(({ isRunning }) => isRunning);
}

function start(id: number, clusterSize?: number, flags?: readonly string[]): Node {
  const started = new Node(places, id, clusterSize, flags);
  nodes.set(id, started);
  return started;
}

/** A node that cannot be reached says no. */
async function isSo(holds: () => boolean | Promise<boolean>): Promise<boolean> {
  try {
    return await holds();
  } catch (error) {
    if (error instanceof TypeError && error.message === 'fetch failed') return false;
    throw error;
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = Date.now() + deadlineMs;
  for (;;) {
    if (await isSo(holds)) return;
    if (Date.now() > endMs) {
      const logs = [...nodes.values()].map(({ id, log }) => `node ${id}:\n${log.slice(-3000)}`);
      throw new Error(`it did not come true that ${what}\n${logs.join('\n')}`);
    }
    await delay(25);
  }
}

/** A proposal may be lost with its leader: it is made again until it is seen there. */
async function put(at: Node, key: string, value: string): Promise<void> {
  let proposedMs = Number.NEGATIVE_INFINITY;
  await until(`${key} is put`, async () => {
    if (Date.now() - proposedMs > 1000) {
      await at.ask('PUT', key, value);
      proposedMs = Date.now();
    }
    return at.has(key, value);
  });
}

/** The leader that one of the running nodes has told of last. */
function leader(): number {
  let newest = { id: 0, term: 0 };
  for (const { log } of running()) {
    for (const [, id, term] of log.matchAll(/(?:elected leader|changed leader from \w+ to) (\w+) at term (\d+)/g)) {
      if (Number(term) > newest.term) newest = { id: Number(id), term: Number(term) };
    }
  }
  return newest.id;
}

before(async () => {
  const servers = Array.from({ length: 8 }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  places = { ports: ports.slice(0, 4), peerUrls: ports.slice(4).map((port) => `http://127.0.0.1:${port}`) };
});

after(async () => {
  for (const each of running()) await each.ended('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

describe('three processes', { timeout: 120_000 }, () => {
  test('what is put at one is got at all', async () => {
    for (const id of [1, 2, 3]) start(id);
    await until('there is a leader', () => leader() > 0);
    assert.deepEqual(await node(1).ask('PUT', '/my-key', 'hello'), { status: 204, text: '' });
    for (const each of running()) await until('the value arrives', () => each.has('/my-key', 'hello'));
    assert.equal((await node(2).ask('GET', '/other')).status, 404);
  });

  let killed = 0;

  test('without the leader, killed, the other two go on', async () => {
    killed = leader();
    await node(killed).ended('SIGKILL');
    const [one, other] = running() as [Node, Node];
    await put(one, '/my-key', 'still there');
    await until('it arrives', () => other.has('/my-key', 'still there'));
    // More than the others keep of their logs.
    for (let i = 0; i < 60; i++) await other.ask('PUT', `/many-${i % 10}`, String(i));
    await put(other, '/last', 'of many');
  });

  test('the one that was killed comes back, and gets what it missed as a snapshot', async () => {
    const again = start(killed);
    await until('it has caught up', () => again.has('/last', 'of many'));
    assert.ok(await again.has('/my-key', 'still there'));
    assert.match(again.log, /received and saved database snapshot/);
    assert.ok(readdirSync(join(directory, `raftexample-${killed}-snap`)).length > 0);
  });

  test('a fourth is added, joins, and takes part', async () => {
    const url = places.peerUrls[3] as string;
    assert.deepEqual(await node(1).ask('POST', '/4', url), { status: 204, text: '' });
    const fourth = start(4, 4, ['--join']);
    await until('it has caught up', () => fourth.has('/last', 'of many'));
    await put(fourth, '/from-4', 'four');
    await until('the others have it', () => node(2).has('/from-4', 'four'));
  });

  test('it is removed and stops', async () => {
    assert.deepEqual(await node(1).ask('DELETE', '/4'), { status: 204, text: '' });
    assert.equal(await node(4).ended(), 0);
    await put(node(1), '/after-4', 'three');
  });

  test('a leader that is removed stops, too; the two that are left elect another', async () => {
    const removed = leader();
    const rest = running().filter(({ id }) => id !== removed);
    assert.equal((await (rest[0] as Node).ask('DELETE', `/${removed}`)).status, 204);
    assert.equal(await node(removed).ended(), 0);
    await until('there is another leader', () => leader() !== removed && leader() > 0);
    await put(rest[0] as Node, '/after-leader', 'two');
    await until('it arrives', () => (rest[1] as Node).has('/after-leader', 'two'));
  });

  test('all stop and start again with everything', async () => {
    const ids = running().map(({ id }) => id);
    for (const id of ids) assert.equal(await node(id).ended('SIGTERM'), 0);
    for (const id of ids) start(id);
    await put(node(ids[0] as number), '/after-all', 'yes');
    for (const [key, value] of [
      ['/my-key', 'still there'],
      ['/last', 'of many'],
      ['/from-4', 'four'],
      ['/after-leader', 'two'],
    ] as const) {
      await until(`${key} is there again`, () => node(ids[1] as number).has(key, value));
    }
    const again = await node(ids[0] as number).ask('POST', '/4', places.peerUrls[3]);
    assert.deepEqual(again, { status: 400, text: 'node 4 was removed: a new node needs a new id\n' });
  });
});
