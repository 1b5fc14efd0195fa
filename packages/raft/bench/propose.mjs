// Cost of one entry through a single-voter leader: a batch proposed in one message, one Ready stored in memory, advance,
// one Ready with the committed entries, advance. CPU time of all threads, since the
// machine may be shared. Usage: node bench/propose.mjs [BATCH] [ROUNDS]
import { MemoryStorage, MessageType, RawNode } from '../dist/index.js';

const batch = Number(process.argv[2] ?? 200);
const rounds = Number(process.argv[3] ?? 5000);
const payload = new Uint8Array(128);

function measure(name, propose, limits) {
  const storage = new MemoryStorage();
  const node = new RawNode({
    id: 1n,
    electionTick: 10,
    heartbeatTick: 1,
    storage,
    maxInflightMsgs: 512,
    random: () => 0,
    ...limits,
  });
  node.bootstrap([{ id: 1n }]);
  let applied = 0;
  let round = 0;
  const drain = () => {
    while (node.hasReady()) {
      const ready = node.ready();
      if (ready.hardState !== undefined) storage.setHardState(ready.hardState);
      storage.append(ready.entries);
      applied += ready.committedEntries.length;
      for (const entry of ready.committedEntries)
        if (RawNode.isConfChange(entry)) node.applyConfChange({ id: 0n, type: 0, nodeId: 1n, context: payload });
      node.advance(ready);
    }
  };
  drain();
  node.campaign();
  drain();
  const run = (count) => {
    for (let i = 0; i < count; i++) {
      propose(node);
      drain();
      if (++round % 50 === 0 && storage.lastIndex() > 2 * batch) storage.compact(storage.lastIndex() - batch);
    }
  };
  run(Math.ceil(rounds / 2));
  applied = 0;
  const start = process.cpuUsage();
  run(rounds);
  const { user, system } = process.cpuUsage(start);
  const elapsed = (user + system) * 1000;
  if (applied !== rounds * batch) throw new Error(`applied ${applied} of ${rounds * batch}`);
  console.log(
    `${name}: ${(elapsed / applied).toFixed(1)} ns/entry, ${(elapsed / rounds / 1000).toFixed(1)} us/batch of ${batch}`,
  );
}

const payloads = new Array(batch).fill(payload);
const entries = payloads.map((data) => ({ data }));
const limits = {
  maxSizePerMsg: 1 << 20,
  maxCommittedSizePerReady: 64 << 20,
  maxUncommittedEntriesSize: 1 << 30,
};
measure('proposeBatch, size limits', (node) => node.proposeBatch(payloads), limits);
measure('step(MsgProp), size limits', (node) => node.step({ type: MessageType.MsgProp, from: 1n, entries }), limits);
measure('proposeBatch, no limits', (node) => node.proposeBatch(payloads), {});
