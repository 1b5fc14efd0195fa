import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { confChangeOfEntry } from './conf-change-codec.ts';
import {
  ConfChangeType,
  createConfChange,
  createConfState,
  createEntry,
  EntryType,
  emptySnapshot,
  MemoryStorage,
  MessageType,
  RaftError,
  RaftNode,
  RawNode,
  type Ready,
  restartNode,
  startNode,
} from './index.ts';
import { bytesOf } from './testing/bytes-of.ts';

const base = { electionTick: 3, heartbeatTick: 1, maxInflightMsgs: 8, random: () => 0 };
const confState = createConfState({ voters: [1n, 2n] });

function makeNode(onLog: (text: string) => void = () => {}) {
  const storage = new MemoryStorage();
  const raw = new RawNode({ ...base, id: 1n, storage });
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

/** A node of the configuration (1 2) whose work is put off until `run`. */
function followerNode(onWarn: (text: string) => void = () => {}) {
  const storage = new MemoryStorage();
  storage.applySnapshot({ ...emptySnapshot, metadata: { ...emptySnapshot.metadata, confState } });
  const deferred: (() => void)[] = [];
  const scheduler = { defer: (callback: () => void) => void deferred.push(callback) };
  const config = { ...base, id: 2n, storage, logger: { warn: onWarn } };
  const run = () => {
    for (const callback of deferred.splice(0)) callback();
  };
  return { node: restartNode(config, scheduler), config, scheduler, storage, run };
}

test('a node that took itself out of the configuration keeps proposals until it hears of another leader', async () => {
  const { node, run } = followerNode();
  assert.deepEqual([...node.status().config.incoming], [1n, 2n], 'from a snapshot with nothing but a ConfState');
  node.step({ type: MessageType.MsgHeartbeat, from: 1n, to: 2n, term: 1 });
  run();
  await node.propose(bytesOf('forwarded'));
  node.applyConfChange(createConfChange({ type: ConfChangeType.RemoveNode, nodeId: 2n }));
  let outcome = 'waits';
  const kept = node.propose(bytesOf('kept')).then(() => {
    outcome = 'taken';
  });
  run();
  await Promise.resolve();
  assert.equal(outcome, 'waits');
  node.step({ type: MessageType.MsgHeartbeat, from: 3n, to: 2n, term: 2 });
  run();
  await kept;
  const ready = node.ready().next();
  run();
  const { messages }: Ready = (await ready).value;
  const proposals = messages.filter(({ type }) => type === MessageType.MsgProp);
  assert.deepEqual(
    proposals.map(({ to, entries }) => [to, String.fromCharCode(...(entries[0]?.data ?? []))]),
    [
      [1n, 'forwarded'],
      [3n, 'kept'],
    ],
  );
});

test('startNode needs peers and an empty storage, and says so', () => {
  const warnings: string[] = [];
  const { config, scheduler, storage } = followerNode((text) => warnings.push(text));
  assert.throws(() => startNode(config, [], scheduler), /no peers given; use restartNode instead/);
  storage.append([createEntry(1, 1, EntryType.Normal, bytesOf(''))]);
  startNode(config, [{ id: 2n }], scheduler);
  assert.deepEqual(warnings, ["error occurred during starting a new node: can't bootstrap a nonempty Storage"]);

  const fresh = startNode({ ...config, storage: new MemoryStorage() }, [{ id: 2n }, { id: 5n }], scheduler);
  assert.deepEqual([...fresh.status().config.incoming], [2n, 5n]);
  assert.equal(fresh.status().hardState.commit, 2);
});
