// A replicated map of three members, each with its own timer, over a network that is slow and loses messages.
import {
  confChangeOfEntry,
  createConfState,
  MemoryStorage,
  MessageType,
  RaftNode,
  RawNode,
  StateType,
} from '@quorate/raft';

const toBytes = (value) => new TextEncoder().encode(JSON.stringify(value));
const fromBytes = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

class Network {
  members = new Map();

  /** Delivers after up to 3 ms, so perhaps out of order; or not at all. */
  send(sender, message) {
    setTimeout(() => {
      if (sender.isStopped) return;
      const receiver = Math.random() < 0.02 ? undefined : this.members.get(message.to);
      receiver?.node.step(message);
      const { type, to } = message;
      if (type === MessageType.MsgSnap) sender.node.reportSnapshot(to, receiver ? 'finished' : 'failed');
      else if (!receiver) sender.node.reportUnreachable(to);
    }, Math.random() * 3);
  }
}

class Member {
  isStopped = false;
  /** What the log adds up to: the map, and the ids of the proposals in it. */
  map = new Map();
  done = new Set();
  applied = 0;
  confState = createConfState({});
  /** Calls to answer, by the id that their proposal or read request bears. */
  waiting = new Map();
  /** Read requests that have their index, which is not applied yet. */
  reads = [];

  /** The storage outlives the member: it is its disk. */
  constructor(id, network, storage, peers) {
    this.id = id;
    this.network = network;
    this.storage = storage;
    const snapshot = storage.snapshot();
    this.restore(snapshot);
    const raw = new RawNode({
      id,
      storage,
      applied: snapshot.metadata.index,
      electionTick: 10,
      heartbeatTick: 1,
      maxInflightMsgs: 256,
      maxSizePerMsg: 1024 * 1024,
      checkQuorum: true,
      preVote: true,
      random: () => Math.random() * 2 ** 32,
    });
    if (storage.lastIndex() === 0) raw.bootstrap(peers);
    this.node = new RaftNode({ raw, scheduler: { defer: queueMicrotask } });
    this.timer = setInterval(() => this.node.tick(), 10);
    network.members.set(id, this);
    this.end = this.run();
  }

  async run() {
    for await (const ready of this.node.ready()) {
      // On a real disk all three are written, and synced if ready.mustSync, before the next line.
      if (ready.snapshot) this.storage.applySnapshot(ready.snapshot);
      this.storage.append(ready.entries);
      if (ready.hardState) this.storage.setHardState(ready.hardState);
      for (const message of ready.messages) this.network.send(this, message);
      if (ready.snapshot) this.restore(ready.snapshot);
      for (const entry of ready.committedEntries) this.apply(entry);
      this.reads.push(...ready.readStates);
      for (const { index, requestContext } of this.reads) {
        if (index <= this.applied) this.waiting.get(fromBytes(requestContext))?.();
      }
      this.reads = this.reads.filter(({ index }) => index > this.applied);
      this.node.advance();
    }
  }

  restore({ data, metadata }) {
    const { map, done } = metadata.index > 0 ? fromBytes(data) : { map: [], done: [] };
    this.map = new Map(map);
    this.done = new Set(done);
    this.applied = metadata.index;
    this.confState = metadata.confState;
  }

  apply(entry) {
    const change = confChangeOfEntry(entry);
    if (change) this.confState = this.node.applyConfChange(change);
    else if (entry.data.length > 0) {
      const { id, key, value } = fromBytes(entry.data);
      // One that was proposed again may come twice, and something else in between. (A real map forgets old ids.)
      if (!this.done.has(id)) this.map.set(key, value);
      this.done.add(id);
      this.waiting.get(id)?.();
    }
    this.applied = entry.index;
    if (this.applied % 10 > 0) return;
    this.storage.createSnapshot(this.applied, this.confState, toBytes({ map: [...this.map], done: [...this.done] }));
    this.storage.compact(this.applied);
  }

  /** Proposals and reads may be lost, with a message or with a leader: then they are made again. */
  async untilDone(attempt) {
    const id = crypto.randomUUID();
    const done = new Promise((resolve) => this.waiting.set(id, resolve));
    attempt(id);
    const retry = setInterval(() => attempt(id), 300);
    await done;
    clearInterval(retry);
    this.waiting.delete(id);
  }

  put(key, value) {
    return this.untilDone((id) => {
      this.node.propose(toBytes({ id, key, value })).catch(({ code }) => console.warn(`${code}, again soon`));
    });
  }

  /** Sees all that was put before it began, wherever that was. */
  async get(key) {
    await this.untilDone((id) => this.node.readIndex(toBytes(id)));
    return this.map.get(key);
  }

  stop() {
    this.isStopped = true;
    clearInterval(this.timer);
    this.network.members.delete(this.id);
    this.node.stop();
    return this.end;
  }
}

const network = new Network();
const peers = [{ id: 1n }, { id: 2n }, { id: 3n }];
const start = ({ id }, storage = new MemoryStorage()) => new Member(id, network, storage, peers);
const members = peers.map((peer) => start(peer));

await members[0].put('color', 'blue'); // waits until there is a leader
console.log(`all are there: ${await members[2].get('color')}`);

const isLeader = ({ node }) => node.status().softState.state === StateType.Leader;
const stopped = members.find(isLeader) ?? members[0];
await stopped.stop();
const [first, second] = members.filter((member) => member !== stopped);
for (let i = 1; i <= 30; i++) await first.put('count', i);
console.log(`one is down: ${await second.get('count')}`);

const again = start(stopped, stopped.storage); // it has its log, and gets the rest as a snapshot
console.log(`it is back: ${await again.get('color')}, ${await again.get('count')}`);
await Promise.all([first, second, again].map((member) => member.stop()));
