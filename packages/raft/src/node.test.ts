import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { confChangeOfEntry } from './conf-change-codec.ts';
import { MemoryStorage, RaftError, RaftNode, RawNode } from './index.ts';
import { bytesOf } from './testing/bytes-of.ts';

function makeNode(onLog: (text: string) => void = () => {}) {
  const storage = new MemoryStorage();
  const raw = new RawNode({ id: 1n, electionTick: 3, heartbeatTick: 1, storage, maxInflightMsgs: 8, random: () => 0 });
  raw.bootstrap([{ id: 1n }]);
  const node = new RaftNode({ raw, scheduler: { defer: setImmediate }, logger: { info: onLog } });
  const applied: string[] = [];
  const done = (async () => {
    for await (const ready of node.ready()) {
      storage.append(ready.entries);
      if (ready.hardState !== undefined) storage.setHardState(ready.hardState);
      for (const entry of ready.committedEntries) {
        const change = confChangeOfEntry(entry);
        if (change !== undefined) node.applyConfChange(change);
        else if (entry.data.length > 0) applied.push(String.fromCharCode(...entry.data));
        if (entry.data.length === 1) node.stop();
      }
      node.advance();
    }
  })();
  return { node, applied, done };
}

test('proposals wait for a leader and then come out in order', async () => {
  const lines: string[] = [];
  const { node, applied, done } = makeNode((text) => lines.push(text));
  const first = node.propose([bytesOf('one'), bytesOf('two')]);
  // The bootstrap entries are applied in a later turn; only then may it campaign.
  const timer = setInterval(() => node.tick(), 1);
  await first;
  clearInterval(timer);
  await node.propose(bytesOf('!'));
  await done;
  assert.deepEqual(applied, ['one', 'two', '!']);
  assert.deepEqual(lines, ['raft.node: 1 elected leader 1 at term 2']);
  await assert.rejects(
    node.propose(bytesOf('x')),
    (error) => error instanceof RaftError && error.code === 'raft/stopped',
  );
});

test('a waiting proposal can be given up, and ends when the node stops', async () => {
  const { node, done } = makeNode();
  const controller = new AbortController();
  const given = node.propose(bytesOf('a'), controller.signal);
  const stopped = node.propose(bytesOf('b'));
  controller.abort();
  await assert.rejects(given, (error) => error instanceof RaftError && error.code === 'raft/aborted');
  node.stop();
  await assert.rejects(stopped, (error) => error instanceof RaftError && error.code === 'raft/stopped');
  await done;
});

test('a payload may be of another realm', async () => {
  const { node, applied, done } = makeNode();
  const proposed = node.propose(runInNewContext('Uint8Array.of(33)'));
  const timer = setInterval(() => node.tick(), 1);
  await proposed;
  clearInterval(timer);
  await done;
  assert.deepEqual(applied, ['!']);
});
