import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { raftpb } from '@quorate/api';
import { hexFromBytes, SeededRandom } from '@quorate/base';
import { createEntry, createMessage, type Message, MessageType } from '@quorate/raft';
import { randomRaftMessage } from '../testing/random-raft-message.ts';
import { decodeMessage, encodeMessage, messageLength } from './message-codec.ts';
import { isLinkHeartbeat, messageStreamEncoder } from './message-stream-codec.ts';

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

const to = 0x4036b1db24775ea0n;
const from = 0x2737ecedbf2a9065n;

function varint(value: bigint): string {
  let text = '';
  let rest = value;
  while (rest > 0x7fn) {
    text += ((rest & 0x7fn) | 0x80n).toString(16).padStart(2, '0');
    rest >>= 7n;
  }
  return text + rest.toString(16).padStart(2, '0');
}

describe('as etcd writes messages (peer protocol, section 3)', () => {
  const vote = createMessage({ type: MessageType.MsgVote, to, from, term: 2, logTerm: 1, index: 2 });

  test('MsgVote of 3.4 and 3.5, with its empty snapshot', () => {
    const seen = `0805 10${varint(to)} 18${varint(from)} 2002 2801 3002 4000 4a0a12080a0228001000180050005800`;
    assert.deepEqual(decodeMessage(bytes(seen)), vote);
  });

  test('the same of 3.6, with the vote and without snapshot', () => {
    assert.deepEqual(
      decodeMessage(bytes(`0805 10${varint(to)} 18${varint(from)} 2002 2801 3002 4000 5000 5800 6800`)),
      vote,
    );
  });

  test('the same of 3.7: only what is not zero', () => {
    assert.deepEqual(decodeMessage(bytes(`0805 10${varint(to)} 18${varint(from)} 2002 2801 3002`)), vote);
  });

  test('ours: every scalar, no snapshot, neither vote nor responses', () => {
    assert.equal(hexFromBytes(encodeMessage(vote)), `080510${varint(to)}18${varint(from)}200228013002400050005800`);
  });

  test('heartbeats of the link in the forms of 3.4, 3.6 and 3.7, and ours', () => {
    for (const hex of [
      '08081000180020002800300040004a0a12080a0228001000180050005800',
      '0808100018002000280030004000500058006800',
      '0808',
    ]) {
      assert.ok(isLinkHeartbeat(decodeMessage(bytes(hex))), hex);
    }
    assert.equal(
      hexFromBytes(messageStreamEncoder.encodeHeartbeat()),
      '0000000000000012080810001800200028003000400050005800',
    );
    assert.ok(!isLinkHeartbeat(createMessage({ type: MessageType.MsgHeartbeat, from })));
  });

  test('entries: type, term and index always, data unless empty; those of 3.7 come without', () => {
    const data = Uint8Array.of(7, 8, 9);
    const message = createMessage({
      type: MessageType.MsgProp,
      from,
      entries: [createEntry(0, 0, 0, data), createEntry(2, 5, 0, new Uint8Array(0)), createEntry(2, 6, 1, data)],
    });
    const tail = '4000 5000 5800';
    const ours = `0802 1000 18${varint(from)} 2000 2800 3000 3a0b 080010001800 2203070809 3a06 080010021805 3a0b 080110021806 2203070809 ${tail}`;
    assert.equal(hexFromBytes(encodeMessage(message)), ours.replaceAll(' ', ''));
    assert.deepEqual(decodeMessage(bytes(ours)), message);
    const short = `0802 18${varint(from)} 3a05 2203070809 3a04 10021805 3a0b 0801 1002 1806 2203070809`;
    assert.deepEqual(decodeMessage(bytes(short)), message);
  });

  test('a snapshot with its configuration in single fields, read packed too', () => {
    const snapshot = {
      data: Uint8Array.of(0x7b, 0x7d),
      metadata: {
        confState: { voters: [1n, 2n], learners: [3n], votersOutgoing: [], learnersNext: [], autoLeave: false },
        index: 300,
        term: 4,
      },
    };
    const message = createMessage({ type: MessageType.MsgSnap, to: 1n, from: 2n, term: 4, snapshot });
    const before = '0807 1001 1802 2004 2800 3000 4000';
    const ours = `${before} 4a15 0a027b7d 120f 0a08 080108021003 2800 10ac02 1804 5000 5800`;
    assert.equal(hexFromBytes(encodeMessage(message)), ours.replaceAll(' ', ''));
    assert.deepEqual(decodeMessage(bytes(ours)), message);
    assert.deepEqual(decodeMessage(bytes(`${before} 4a13 0a027b7d 120d 0a06 0a020102 1003 10ac02 1804`)), message);
  });
});

test('the generated codec reads what we write and we read what it writes', () => {
  const random = new SeededRandom(20_261_125);
  for (let round = 0; round < 2000; round++) {
    const message = randomRaftMessage(random);
    const encoded = encodeMessage(message);
    assert.equal(encoded.length, messageLength(message));
    const { vote, responses, ...plain } = message;
    const theirs = raftpb.Message.decode(encoded);
    assert.deepEqual(
      { ...theirs, entries: theirs.entries.map((entry) => ({ ...entry })) },
      { ...raftpb.Message.create(asGenerated(message)) },
      `round ${round}`,
    );
    const back = decodeMessage(raftpb.Message.encode(raftpb.Message.create(asGenerated(message))));
    assert.deepEqual({ ...back }, { ...plain, vote, responses }, `round ${round}`);
    assert.deepEqual(decodeMessage(encoded), back, `round ${round}`);
  }
});

function asGenerated(message: Message): Parameters<typeof raftpb.Message.create>[0] {
  const { snapshot } = message;
  return {
    ...message,
    entries: message.entries.map((entry) => raftpb.Entry.create(entry)),
    responses: [],
    snapshot:
      snapshot &&
      raftpb.Snapshot.create({
        data: snapshot.data,
        metadata: raftpb.SnapshotMetadata.create({
          index: snapshot.metadata.index,
          term: snapshot.metadata.term,
          confState: raftpb.ConfState.create({
            voters: [...snapshot.metadata.confState.voters],
            learners: [...snapshot.metadata.confState.learners],
            votersOutgoing: [...snapshot.metadata.confState.votersOutgoing],
            learnersNext: [...snapshot.metadata.confState.learnersNext],
            autoLeave: snapshot.metadata.confState.autoLeave,
          }),
        }),
      }),
  };
}

describe('what is not a message is a typed error', () => {
  const cases: Readonly<Record<string, string>> = {
    'a field that ends early': '0803 3a05 0800',
    'a varint that does not end': '08ffffffffffffffffffffff01',
    'a term above 2^53': '20ffffffffffffffff01',
    'an entry type that does not exist': '3a02 0803',
    'a known field of another wire type': '0a00',
    'entries that are numbers': '3801',
    'a group that does not end': '7b',
    'field number 0': '0001',
  };
  for (const [name, hex] of Object.entries(cases)) {
    test(name, () => assert.throws(() => decodeMessage(bytes(hex)), { code: 'peer/bad-message' }));
  }

  test('unknown fields of every wire type are skipped', () => {
    const unknown = '7801 790102030405060708 7a020102 7d01020304 7b 0801 7c 7202 0803';
    assert.deepEqual(decodeMessage(bytes(`0803 ${unknown} 2005`)), createMessage({ type: 3, term: 5 }));
  });

  test('no random bytes break the decoder in another way', () => {
    const random = new SeededRandom(7);
    for (let round = 0; round < 3000; round++) {
      const encoded = encodeMessage(randomRaftMessage(random)).slice(0, 400);
      const at = random.nextUint32() % encoded.length;
      encoded[at] = random.nextUint32();
      try {
        decodeMessage(encoded);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'peer/bad-message');
      }
    }
  });
});
