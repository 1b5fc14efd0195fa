// Nodes of one Raft group in one process: stored in memory, messages handed over as they are.
import { createConfState, emptyBytes, MemoryStorage, RawNode } from '../dist/index.js';

/** What a proposal carries. All share it: the library never copies it, so there is nothing to measure in making more. */
export const payload = new Uint8Array(256);

/** Those of a server, so that all that is on there is measured. */
const settings = {
  electionTick: 10,
  heartbeatTick: 1,
  maxSizePerMsg: 512 * 1024,
  maxUncommittedEntriesSize: 512 * 1024 * 1024,
  maxInflightMsgs: 512,
  checkQuorum: true,
  preVote: true,
  random: () => 0,
};

/** Entries that stay in a log when it is cut. */
const keptEntries = 1024;

export class Node {
  constructor(id, voters, options = {}) {
    this.storage = new MemoryStorage();
    this.storage.applySnapshot({
      data: emptyBytes,
      metadata: { confState: createConfState({ voters }), index: 1, term: 1 },
    });
    this.raw = new RawNode({ ...settings, ...options, id, storage: this.storage });
    this.applied = 0;
  }

  /** Does what a Ready asks for, in its order. */
  carryOut(ready, send) {
    this.storage.append(ready.entries);
    if (ready.hardState !== undefined) this.storage.setHardState(ready.hardState);
    for (const message of ready.messages) send(message);
    this.applied += ready.committedEntries.length;
    this.raw.advance(ready);
  }

  /** Whether there was anything to do. */
  work(send) {
    if (!this.raw.hasReady()) return false;
    this.carryOut(this.raw.ready(), send);
    return true;
  }

  compact() {
    const last = this.storage.lastIndex();
    if (last - this.storage.firstIndex() > 2 * keptEntries) this.storage.compact(last - keptEntries);
  }
}

export const drop = () => {};

/** A group of voters 1 to `size`. The first leads. */
export class Cluster {
  constructor(size, options) {
    const ids = Array.from({ length: size }, (_, i) => BigInt(i + 1));
    this.nodes = ids.map((id) => new Node(id, ids, options));
    this.leader = this.nodes[0];
    this.send = (message) => {
      this.nodes[Number(message.to) - 1].raw.step(message);
    };
    this.leader.raw.campaign();
    this.settle();
    if (this.leader.raw.basicStatus().softState.leader !== 1n) throw new Error('the first node does not lead');
  }

  /** Until nobody has anything to do. */
  settle() {
    for (let busy = true; busy; ) {
      busy = false;
      for (const node of this.nodes) if (node.work(this.send)) busy = true;
    }
  }

  compact() {
    for (const node of this.nodes) node.compact();
  }
}
