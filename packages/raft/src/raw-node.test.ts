import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfChangeTransition,
  ConfChangeType,
  createConfChange,
  createConfChangeV2,
  createMessage,
  describeReady,
  EntryType,
  InvariantError,
  isEmptyHardState,
  LOCAL_APPEND_THREAD,
  MemoryStorage,
  type Message,
  MessageType,
  type RaftError,
  RawNode,
  ReadOnlyOption,
  statusToJson,
  type TraceEvent,
  traceEventToJson,
} from './index.ts';
import { bytesOf } from './testing/bytes-of.ts';
import { LocalCluster } from './testing/local-cluster.ts';

const base = { electionTick: 10, heartbeatTick: 1, maxInflightMsgs: 256, random: () => 0 };
const code = (error: RaftError | undefined) => error?.code;

test('refuses a bad configuration', () => {
  const storage = new MemoryStorage();
  const cases: [object, RegExp][] = [
    [{ id: 0n }, /cannot use none as id/],
    [{ id: LOCAL_APPEND_THREAD }, /cannot use local target as id/],
    [{ heartbeatTick: 0 }, /heartbeat tick must be greater than 0/],
    [{ electionTick: 1 }, /election tick must be greater than heartbeat tick/],
    [{ maxInflightMsgs: 0 }, /max inflight messages must be greater than 0/],
    [{ maxSizePerMsg: 10, maxInflightBytes: 9 }, /max inflight bytes must be >= max message size/],
    [{ readOnlyOption: ReadOnlyOption.LeaseBased }, /CheckQuorum must be enabled/],
  ];
  for (const [change, text] of cases) {
    assert.throws(() => new RawNode({ ...base, id: 1n, storage, ...change }), text);
  }
});

test('a bootstrapped single node commits what it proposes, once each, in order', () => {
  const storage = new MemoryStorage();
  const raw = new RawNode({ ...base, id: 1n, storage });
  assert.throws(() => raw.bootstrap([]), /must provide at least one peer/);
  raw.bootstrap([{ id: 1n, context: bytesOf('peer') }]);
  const first = raw.ready();
  assert.equal(
    describeReady(first),
    'Ready MustSync=true:\nHardState Term:1 Commit:1\nEntries:\n1/1 EntryConfChange v1\nCommittedEntries:\n1/1 EntryConfChange v1\n',
  );
  storage.append(first.entries);
  raw.applyConfChange(createConfChange({ type: ConfChangeType.AddNode, nodeId: 1n }));
  raw.advance(first);
  raw.campaign();
  const applied: string[] = [];
  const drain = () => {
    while (raw.hasReady()) {
      const ready = raw.ready();
      storage.append(ready.entries);
      for (const { data } of ready.committedEntries) applied.push(String.fromCharCode(...data));
      raw.advance(ready);
    }
  };
  drain();
  assert.equal(raw.proposeBatch([bytesOf('a'), bytesOf('b')]), undefined);
  assert.equal(raw.step({ type: MessageType.MsgProp, from: 1n, entries: [{ data: bytesOf('c') }] }), undefined);
  drain();
  assert.deepEqual(applied, ['', 'a', 'b', 'c']);
  assert.deepEqual(raw.basicStatus(), {
    id: 1n,
    hardState: { term: 2, vote: 1n, commit: 5 },
    softState: { leader: 1n, state: 'StateLeader' },
    applied: 5,
    leadTransferee: 0n,
  });
  assert.match(statusToJson(raw.status()), /"progress":{"1":{"match":5,"next":6,"state":"StateReplicate"}}/);
  assert.throws(() => raw.bootstrap([{ id: 1n }]), /nonempty Storage/);
});

test('what was applied before a restart is not handed out again', () => {
  const storage = new MemoryStorage();
  storage.applySnapshot({
    data: bytesOf(''),
    metadata: {
      confState: { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
      index: 1,
      term: 1,
    },
  });
  storage.append([2, 3, 4].map((index) => ({ term: 1, index, type: EntryType.Normal, data: bytesOf(String(index)) })));
  storage.setHardState({ term: 1, vote: 1n, commit: 4 });
  const raw = new RawNode({ ...base, id: 1n, storage, applied: 3 });
  assert.deepEqual(
    raw.ready().committedEntries.map(({ index }) => index),
    [4],
  );
});

test('refuses messages that may not come from outside', () => {
  const { raw } = new LocalCluster(3).elect(1n);
  assert.equal(code(raw.step({ type: MessageType.MsgHup, from: 2n })), 'raft/step-local-message');
  assert.equal(code(raw.step({ type: MessageType.MsgAppResp, from: 9n, term: 2 })), 'raft/step-peer-not-found');
  assert.equal(code(raw.step({ type: MessageType.MsgHeartbeat, from: 2n, term: 2 ** 60 })), 'raft/invalid-message');
  assert.equal(code(raw.step({ type: MessageType.MsgReadIndex, from: 2n })), 'raft/invalid-message');
  const gap = [{ term: 2, index: 9, type: EntryType.Normal, data: bytesOf('') }];
  assert.equal(
    code(raw.step({ type: MessageType.MsgApp, from: 2n, term: 2, index: 3, logTerm: 2, entries: gap })),
    'raft/invalid-message',
  );
});

test('proposals are forwarded, unless that is switched off, and dropped without a leader', () => {
  const cluster = new LocalCluster(3);
  assert.equal(code(cluster.node(2n).raw.propose(bytesOf('x'))), 'raft/proposal-dropped');
  cluster.elect(1n);
  assert.equal(cluster.node(2n).raw.propose(bytesOf('x')), undefined);
  cluster.settle();
  for (const node of cluster.nodes.values()) assert.deepEqual(node.applied, ['x']);

  const strict = new LocalCluster(3, { disableProposalForwarding: true });
  strict.elect(1n);
  assert.equal(code(strict.node(2n).raw.propose(bytesOf('x'))), 'raft/proposal-dropped');
});

test('a repeated forwarded proposal does not touch entries that are in the log', () => {
  const cluster = new LocalCluster(1);
  const { raw, applied } = cluster.elect(1n);
  const message = createMessage({ type: MessageType.MsgProp, from: 2n, entries: [{ data: bytesOf('x') }] });
  raw.step(message);
  raw.step(message);
  cluster.settle();
  assert.deepEqual(applied, ['x', 'x']);
  assert.equal(message.entries[0]?.index, 0);
});

test('payload above the uncommitted limit is dropped until some is applied', () => {
  const cluster = new LocalCluster(3, { maxUncommittedEntriesSize: 10 });
  const { raw } = cluster.elect(1n);
  assert.equal(raw.propose(new Uint8Array(20)), undefined, 'one always passes');
  assert.equal(code(raw.propose(bytesOf('x'))), 'raft/proposal-dropped');
  assert.equal(raw.propose(bytesOf('')), undefined, 'what has no payload passes');
  cluster.settle();
  assert.equal(raw.propose(bytesOf('x')), undefined);
});

test('a heartbeat response to an earlier read with the same context confirms nothing', () => {
  const cluster = new LocalCluster(3);
  const leader = cluster.elect(1n);
  const context = bytesOf('ctx');
  cluster.filter = ({ type }) => type === MessageType.MsgHeartbeatResp;
  leader.raw.readIndex(context);
  cluster.settle();
  const late = [...cluster.held];
  assert.equal(late.length, 2);
  cluster.filter = () => false;
  leader.raw.step(late[0] as Message);
  cluster.settle();
  assert.equal(leader.reads.length, 1);

  // Cut off, the leader is asked again with the same context; only the late answer of before arrives.
  cluster.filter = ({ from }) => from === 1n;
  leader.raw.readIndex(context);
  cluster.settle();
  leader.raw.step(late[1] as Message);
  cluster.settle();
  assert.equal(leader.reads.length, 1);
});

test('an answer to a later read confirms those before it, too', () => {
  const cluster = new LocalCluster(5);
  const leader = cluster.elect(1n);
  cluster.filter = ({ type }) => type === MessageType.MsgHeartbeatResp;
  const readAnsweredBy = (context: string, id: bigint) => {
    leader.raw.readIndex(bytesOf(context));
    cluster.settle();
    for (const message of cluster.held.splice(0)) if (message.from === id) leader.raw.step(message);
    cluster.settle();
  };
  readAnsweredBy('first', 2n);
  assert.equal(leader.reads.length, 0, 'two of five');
  readAnsweredBy('second', 3n);
  assert.deepEqual(
    leader.reads.map(({ requestContext }) => String.fromCharCode(...requestContext)),
    ['first'],
    'three of five have answered a heartbeat since the first read came, two since the second',
  );
});

test('reads wait for the first commit of the term, and one confirmation releases all before it', () => {
  const cluster = new LocalCluster(3);
  cluster.filter = ({ type }) => type === MessageType.MsgApp;
  const leader = cluster.elect(1n);
  leader.raw.readIndex(bytesOf('early'));
  cluster.settle();
  assert.equal(leader.reads.length, 0);
  cluster.filter = () => false;
  for (const message of cluster.held.splice(0)) cluster.deliver(message);
  cluster.settle();
  assert.equal(leader.reads.length, 1);

  cluster.node(2n).raw.readIndex(bytesOf('far'));
  cluster.settle();
  assert.deepEqual(cluster.node(2n).reads, [{ index: leader.raft.log.committed, requestContext: bytesOf('far') }]);
});

test('a leader that was removed answers no reads on its own', () => {
  const cluster = new LocalCluster(2);
  const leader = cluster.elect(1n);
  leader.raw.proposeConfChange(createConfChange({ type: ConfChangeType.RemoveNode, nodeId: 1n }));
  cluster.settle();
  assert.equal(leader.raft.role.state, 'StateLeader');
  cluster.filter = ({ from }) => from === 1n;
  leader.raw.readIndex(bytesOf('ctx'));
  cluster.settle();
  assert.equal(leader.reads.length, 0);
});

test('lease-based reads are answered at once', () => {
  const cluster = new LocalCluster(3, { checkQuorum: true, readOnlyOption: ReadOnlyOption.LeaseBased });
  const leader = cluster.elect(1n);
  leader.raw.readIndex(bytesOf('ctx'));
  assert.equal(leader.raw.ready().readStates.length, 1);
});

test('leadership moves to whom it is transferred, and proposals are dropped meanwhile', () => {
  const cluster = new LocalCluster(3);
  const leader = cluster.elect(1n);
  leader.raw.transferLeader(3n);
  assert.equal(leader.raw.basicStatus().leadTransferee, 3n);
  assert.equal(code(leader.raw.propose(bytesOf('x'))), 'raft/proposal-dropped');
  cluster.settle();
  assert.equal(cluster.node(3n).raft.role.state, 'StateLeader');

  cluster.filter = ({ type }) => type === MessageType.MsgTimeoutNow;
  const three = cluster.node(3n).raw;
  three.transferLeader(2n);
  for (let i = 0; i < base.electionTick; i++) three.tick();
  assert.equal(three.basicStatus().leadTransferee, 0n, 'given up after an election timeout');
});

test('a stored append of an older term does not count for the entry that took its place', () => {
  const storage = new MemoryStorage();
  storage.applySnapshot({
    data: bytesOf(''),
    metadata: {
      confState: { voters: [1n, 2n, 3n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
      index: 1,
      term: 1,
    },
  });
  const raw = new RawNode({ ...base, id: 1n, storage, asyncStorageWrites: true });
  const append = (from: bigint, term: number, entryTerm: number) => {
    const entries = [{ term: entryTerm, index: 2, type: EntryType.Normal, data: bytesOf('x') }];
    raw.step({ type: MessageType.MsgApp, from, term, index: 1, logTerm: 1, entries });
    const work = raw.ready().messages.find(({ type }) => type === MessageType.MsgStorageAppend);
    return work?.responses.find(({ type }) => type === MessageType.MsgStorageAppendResp) as Message;
  };
  const first = append(2n, 2, 2);
  append(3n, 3, 3);
  const again = append(2n, 4, 2);
  const { raft } = raw as unknown as { raft: { log: { unstable: { count: number } } } };
  raw.step(first);
  assert.equal(raft.log.unstable.count, 1, 'the response of term 2 is ignored in term 4');
  raw.step(again);
  assert.equal(raft.log.unstable.count, 0);
});

test('a joint configuration is left by itself, and needs both majorities until then', () => {
  const cluster = new LocalCluster(3);
  const leader = cluster.elect(1n);
  const changes = [2n, 3n].map((nodeId) => ({ type: ConfChangeType.RemoveNode, nodeId }));
  leader.raw.proposeConfChange(createConfChangeV2({ transition: ConfChangeTransition.Auto, changes }));
  cluster.settle();
  assert.deepEqual([...leader.raft.tracker.config.incoming], [1n]);
  assert.equal(leader.raft.tracker.config.outgoing.size, 0);
});

test('advance and asynchronous storage writes exclude each other, as do two Readys without advance', () => {
  const storage = new MemoryStorage();
  const raw = new RawNode({ ...base, id: 1n, storage, asyncStorageWrites: true });
  assert.throws(() => raw.advance(), InvariantError);
  const cluster = new LocalCluster(1);
  const { raw: other } = cluster.node(1n);
  other.campaign();
  other.ready();
  assert.throws(() => other.ready(), /two accepted Ready structs without call to Advance/);
});

test('a configuration change that is not one is refused, not obeyed', () => {
  const { raw } = new LocalCluster(1).elect(1n);
  const entries = [{ type: EntryType.ConfChangeV2, data: Uint8Array.of(0x12, 0x7f) }];
  assert.equal(code(raw.proposeEntries(entries)), 'raft/invalid-conf-change');
});

test('tells a tracer what happens', () => {
  const events: TraceEvent[] = [];
  const cluster = new LocalCluster(1, { tracer: (event) => events.push(event) });
  const { raw } = cluster.elect(1n);
  assert.deepEqual(
    events.map(({ name }) => name),
    [
      'InitState',
      'ApplyConfChange',
      'BecomeFollower',
      'BecomeCandidate',
      'SendRequestVoteResponse',
      'Ready',
      'ReceiveRequestVoteResponse',
      'BecomeLeader',
      'Replicate',
      'SendAppendEntriesResponse',
      'Ready',
      'ReceiveAppendEntriesResponse',
      'Commit',
      'Ready',
    ],
  );
  events.length = 0;
  raw.proposeConfChange(createConfChange({ type: ConfChangeType.AddLearnerNode, nodeId: 2n }));
  cluster.settle();
  const json = (name: string) => events.filter((event) => event.name === name).map(traceEventToJson);
  const head = (name: string, commit: number, log: number) =>
    `{"name":"${name}","nid":"1","state":{"term":2,"vote":"1","commit":${commit}},"role":"StateLeader","log":${log},` +
    '"conf":[["1"],[]]';
  assert.deepEqual(json('ChangeConf'), [
    `${head('ChangeConf', 2, 2)},"prop":{"cc":{"changes":[{"nid":"2","action":"AddLearner"}]}}}`,
  ]);
  assert.deepEqual(json('ApplyConfChange'), [`${head('ApplyConfChange', 3, 3)},"prop":{"cc":{"newconf":["1"]}}}`]);
  assert.deepEqual(json('SendAppendEntriesRequest'), [
    `${head('SendAppendEntriesRequest', 3, 3)},"msg":{"type":"MsgApp","term":2,"from":"1","to":"2","entries":1,` +
      '"logTerm":2,"index":2,"commit":3,"vote":"0","reject":false,"rejectHint":0},"prop":{"match":3,"next":4}}',
  ]);
  assert.equal(isEmptyHardState({ term: 0, vote: 0n, commit: 0 }), true);
});
