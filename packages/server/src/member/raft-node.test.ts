import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, silentLogger } from '@quorate/base';
import { createMessage, decodeConfChange, EntryType, MemoryStorage, MessageType, type RawNode } from '@quorate/raft';
import type { MemberStorage } from '../bootstrap/open-storage.ts';
import { makeConfig } from '../config/config.ts';
import { parseArguments } from '../config/parse.ts';
import type { MemberDeps } from './member-deps.ts';
import { makeNode } from './raft-node.ts';

const mebibyte = 1024 * 1024;
const [own, other, third] = [1n, 2n, 3n] as const;

/** Member 1 of three, whose entries are durable at once; what it sends to member 2 is counted. */
class Leader {
  readonly node: RawNode;
  private readonly raftStorage = new MemoryStorage();
  sentBytes = 0;
  lastSentIndex = 0;

  constructor() {
    const bootstrap = { changes: [own, other, third].map((nodeId) => ({ nodeId, context: new Uint8Array(0) })) };
    this.node = makeNode(
      { random: new SeededRandom(1), logger: silentLogger } as unknown as MemberDeps,
      makeConfig(parseArguments(['--pre-vote=false'])),
      { memberId: own, raftStorage: this.raftStorage, bootstrap } as unknown as MemberStorage,
    );
    this.work();
    this.node.campaign();
    this.work();
    this.hear(MessageType.MsgVoteResp, other, 0);
    for (const id of [other, third]) this.acknowledge(id);
  }

  get lastIndex(): number {
    return this.raftStorage.lastIndex();
  }

  /** The member has all up to that entry. */
  acknowledge(id: bigint, index = this.lastIndex): void {
    this.hear(MessageType.MsgAppResp, id, index);
  }

  private hear(type: MessageType, from: bigint, index: number): void {
    const { term } = this.node.basicStatus().hardState;
    this.node.step(createMessage({ type, from, to: own, term, index }));
    this.work();
  }

  work(): void {
    while (this.node.hasReady()) {
      const ready = this.node.ready();
      if (ready.hardState !== undefined) this.raftStorage.setHardState(ready.hardState);
      this.raftStorage.append(ready.entries);
      for (const { to, entries } of ready.messages) {
        if (to !== other) continue;
        for (const { data, index } of entries) {
          this.sentBytes += data.length;
          this.lastSentIndex = index;
        }
      }
      for (const { type, data } of ready.committedEntries) {
        if (type === EntryType.ConfChange) this.node.applyConfChange(decodeConfChange(data));
      }
      this.node.advance(ready);
    }
  }
}

test('for a member that hangs no more than 64 MiB are on their way, and the rest follows when it answers', () => {
  const leader = new Leader();
  for (let i = 0; i < 80; i++) {
    leader.node.proposeBatch([new Uint8Array(mebibyte)]);
    leader.work();
    leader.acknowledge(third);
  }
  assert.equal(leader.sentBytes / mebibyte, 64);
  leader.acknowledge(other, leader.lastSentIndex);
  assert.equal(leader.sentBytes / mebibyte, 80);
});
