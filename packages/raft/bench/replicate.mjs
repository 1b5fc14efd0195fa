// Cost of one entry through a leader and two followers in one process, all stored in memory.
// CPU time of all threads, since the
// machine may be shared. Usage: node bench/replicate.mjs [BATCH] [ROUNDS]
import { createConfState, MemoryStorage, RawNode } from '../dist/index.js';

const batch = Number(process.argv[2] ?? 200);
const rounds = Number(process.argv[3] ?? 3000);
const payloads = new Array(batch).fill(new Uint8Array(128));
const voters = [1n, 2n, 3n];
const nodes = voters.map((id) => {
  const storage = new MemoryStorage();
  storage.applySnapshot({
    data: new Uint8Array(0),
    metadata: { confState: createConfState({ voters }), index: 1, term: 1 },
  });
  const raw = new RawNode({
    id,
    electionTick: 10,
    heartbeatTick: 1,
    storage,
    maxInflightMsgs: 512,
    maxSizePerMsg: 1 << 20,
    random: () => 0,
  });
  return { raw, storage, applied: 0 };
});

function settle() {
  for (let more = true; more; ) {
    more = false;
    for (const node of nodes) {
      while (node.raw.hasReady()) {
        more = true;
        const ready = node.raw.ready();
        node.storage.append(ready.entries);
        if (ready.hardState !== undefined) node.storage.setHardState(ready.hardState);
        for (const message of ready.messages) nodes[Number(message.to) - 1].raw.step(message);
        node.applied += ready.committedEntries.length;
        node.raw.advance(ready);
      }
    }
  }
}

nodes[0].raw.campaign();
settle();
function run(count) {
  for (let i = 0; i < count; i++) {
    nodes[0].raw.proposeBatch(payloads);
    settle();
    if (i % 50 === 49) for (const { storage } of nodes) storage.compact(storage.lastIndex() - batch);
  }
}
run(Math.ceil(rounds / 2));
nodes[0].applied = 0;
const start = process.cpuUsage();
run(rounds);
const { user, system } = process.cpuUsage(start);
const elapsed = (user + system) * 1000;
if (nodes[0].applied !== rounds * batch) throw new Error(`applied ${nodes[0].applied}`);
console.log(
  `3 nodes: ${(elapsed / nodes[0].applied).toFixed(1)} ns/entry, ${(elapsed / rounds / 1000).toFixed(1)} us/batch of ${batch}`,
);
