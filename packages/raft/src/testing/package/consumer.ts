// A program of somebody who has installed the package, with a storage of its own: pack.test.ts checks its types and runs it.
import {
  countWithinSize,
  createConfState,
  type Entry,
  entryUnavailable,
  type HardState,
  MessageType,
  type RaftError,
  type RaftErrorCode,
  RaftNode,
  RawNode,
  ReadOnlyOption,
  type Ready,
  type Snapshot,
  type Storage,
  snapshotTemporarilyUnavailable,
} from '@quorate/raft';

declare const console: { log(text: string): void };

class OwnStorage implements Storage {
  readonly log: Entry[] = [];

  initialState() {
    const hardState: HardState = { term: 0, vote: 0n, commit: 0 };
    return { hardState, confState: createConfState({ voters: [1n] }) };
  }

  entries(lo: number, hi: number, maxSize: number): readonly Entry[] {
    return this.log.slice(lo - 1, lo - 1 + countWithinSize(this.log, lo - 1, hi - 1, maxSize));
  }

  term(index: number): number {
    if (index === 0) return 0;
    const entry = this.log[index - 1];
    if (entry === undefined) throw entryUnavailable();
    return entry.term;
  }

  lastIndex = () => this.log.length;
  firstIndex = () => 1;

  snapshot(): Snapshot {
    throw snapshotTemporarilyUnavailable();
  }
}

const storage = new OwnStorage();
const raw = new RawNode({
  id: 1n,
  storage,
  electionTick: 10,
  heartbeatTick: 1,
  maxInflightMsgs: 256,
  checkQuorum: true,
  readOnlyOption: ReadOnlyOption.LeaseBased,
  random: { nextUint32: () => 7 },
});
const applied: string[] = [];

function work(ready: Ready): void {
  storage.log.push(...ready.entries);
  for (const { data } of ready.committedEntries) applied.push(String.fromCharCode(...data));
  raw.advance();
}

raw.campaign();
while (raw.hasReady()) work(raw.ready());
const refused: RaftError | undefined = raw.step({ type: MessageType.MsgHup });
const code: RaftErrorCode | undefined = refused?.code;
raw.propose(Uint8Array.of(0x68, 0x69));
while (raw.hasReady()) work(raw.ready());

export const node = new RaftNode({ raw, scheduler: { defer: (callback) => callback() } });
// @ts-expect-error ids are bigints
node.reportUnreachable(2);
const proposed: Promise<void> = node.propose([Uint8Array.of(1), Uint8Array.of(2)]);
await proposed;
console.log(JSON.stringify({ applied, code, lastIndex: storage.lastIndex() }));
