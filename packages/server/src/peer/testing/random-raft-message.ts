import { nextBelow, nextUint64, type Random } from '@quorate/base';
import { createEntry, createMessage, type EntryType, type Message, MessageType } from '@quorate/raft';

/** Of any length as varint, so that all branches of the codec come up. */
function randomUint(random: Random): number {
  const bits = BigInt(nextBelow(random, 54));
  return Number(BigInt.asUintN(Number(bits), nextUint64(random)));
}

function randomId(random: Random): bigint {
  return BigInt.asUintN(nextBelow(random, 65), nextUint64(random));
}

function randomBytes(random: Random): Uint8Array {
  const lengths = [0, 1, 8, 12, 13, 127, 128, 300, 2_000];
  const length = lengths[nextBelow(random, lengths.length)] as number;
  return Uint8Array.from({ length }, (_, i) => i + length);
}

function randomIds(random: Random): bigint[] {
  return Array.from({ length: nextBelow(random, 4) }, () => randomId(random));
}

/** A message as one member may send it to another. */
export function randomRaftMessage(random: Random, type = nextBelow(random, 24) as MessageType): Message {
  const entries = Array.from({ length: nextBelow(random, 5) }, () =>
    createEntry(randomUint(random), randomUint(random), nextBelow(random, 3) as EntryType, randomBytes(random)),
  );
  const confState = {
    voters: randomIds(random),
    learners: randomIds(random),
    votersOutgoing: randomIds(random),
    learnersNext: randomIds(random),
    autoLeave: nextBelow(random, 2) === 1,
  };
  const metadata = { confState, index: 1 + randomUint(random), term: randomUint(random) };
  return createMessage({
    type,
    to: randomId(random),
    from: randomId(random),
    term: randomUint(random),
    logTerm: randomUint(random),
    index: randomUint(random),
    entries,
    commit: randomUint(random),
    reject: nextBelow(random, 2) === 1,
    rejectHint: randomUint(random),
    context: randomBytes(random),
    snapshot: type === MessageType.MsgSnap ? { data: randomBytes(random), metadata } : undefined,
  });
}

/**
 * What a leader says to one follower on the append stream: runs of entries that go on from each other, with elections, steps back and
 * empty ones in between.
 */
export function randomAppends(random: Random, from: bigint, to: bigint, count: number): Message[] {
  let term = 1;
  let index = 0;
  return Array.from({ length: count }, () => {
    const logTerm = term;
    if (nextBelow(random, 8) === 0) term += nextBelow(random, 3);
    if (nextBelow(random, 8) === 0) index = Math.max(0, index - nextBelow(random, 4));
    const first = index;
    const entries = Array.from({ length: nextBelow(random, 4) }, () =>
      createEntry(term, ++index, nextBelow(random, 9) === 0 ? 1 : 0, randomBytes(random)),
    );
    const commit = Math.max(0, first - 2);
    return createMessage({ type: MessageType.MsgApp, from, to, term, logTerm, index: first, entries, commit });
  });
}
