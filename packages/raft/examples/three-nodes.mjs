import { confChangeOfEntry, MemoryStorage, RawNode } from '@quorate/raft';

const peers = [{ id: 1n }, { id: 2n }, { id: 3n }];
const options = { electionTick: 10, heartbeatTick: 1, maxInflightMsgs: 256, random: () => Math.random() * 2 ** 32 };
const nodes = peers.map(({ id }) => {
  const storage = new MemoryStorage();
  const raw = new RawNode({ ...options, id, storage });
  raw.bootstrap(peers);
  return { id, raw, storage };
});

function work({ id, raw, storage }) {
  const { entries, hardState, messages, committedEntries } = raw.ready();
  storage.append(entries); // 1. store
  if (hardState) storage.setHardState(hardState);
  for (const message of messages) nodes[Number(message.to) - 1].raw.step(message); // 2. send
  for (const entry of committedEntries) {
    const change = confChangeOfEntry(entry); // 3. apply
    if (change) raw.applyConfChange(change);
    else if (entry.data.length > 0) console.log(`node ${id}: ${new TextDecoder().decode(entry.data)}`);
  }
  raw.advance();
}

function settle() {
  while (nodes.some(({ raw }) => raw.hasReady())) nodes.filter(({ raw }) => raw.hasReady()).forEach(work);
}

settle();
nodes[0].raw.campaign(); // or tick() until one of them does
settle();
nodes[1].raw.propose(new TextEncoder().encode('hello')); // a follower hands it on to the leader
settle(); // node 1: hello, node 2: hello, node 3: hello
