// What append messages between members cost, beside the generated codec. Build first, then: node packages/server/bench/peer-codec.mjs
// Figures of one machine say little by themselves: compare runs on the same one.
import { raftpb } from '@quorate/api';
import { createEntry, createMessage, MessageType } from '@quorate/raft';
import { decodeMessage, encodeMessage } from '../dist/peer/codec/message-codec.js';
import { MsgAppDecoder, MsgAppEncoder } from '../dist/peer/codec/msgapp-codec.js';

function appends(count, size) {
  const entries = Array.from({ length: count }, (_, i) => createEntry(7, 1_000_000 + i, 0, Buffer.alloc(size, i)));
  const common = { type: MessageType.MsgApp, to: 0x4036b1db24775ea0n, from: 0x2737ecedbf2a9065n, term: 7, logTerm: 7 };
  return createMessage({ ...common, index: 999_999, commit: 999_990, entries });
}

/** Best of several rounds, in nanoseconds an entry. */
function time(entriesEach, run) {
  const repeats = Math.max(1, Math.floor(20_000 / entriesEach));
  let best = Infinity;
  for (let round = 0; round < 60; round++) {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) run();
    best = Math.min(best, performance.now() - start);
  }
  return ((best * 1e6) / (repeats * entriesEach)).toFixed(0);
}

const ignore = () => {};

for (const [count, size] of [
  [1, 150],
  [100, 150],
  [100, 12],
  [1000, 150],
  [16, 16_384],
]) {
  const message = appends(count, size);
  const entries = message.entries.map((entry) => raftpb.Entry.create(entry));
  const generated = raftpb.Message.create({ ...message, snapshot: undefined, responses: [], entries });
  // The first message of a stream is whole, what goes on from it is entries alone.
  const opening = createMessage({ ...message, entries: [] });
  const encoder = () => {
    const fresh = new MsgAppEncoder();
    fresh.encode(opening);
    return fresh;
  };
  const whole = encodeMessage(message);
  const first = new MsgAppEncoder().encode(opening);
  const record = encoder().encode(message);
  const results = {
    'encode: record of entries': time(count, () => encoder().encode(message)),
    'encode: message': time(count, () => encodeMessage(message)),
    'encode: generated codec': time(count, () => raftpb.Message.encode(generated)),
    'decode: record of entries, copied': time(count, () => {
      const decoder = new MsgAppDecoder(1n, 2n);
      decoder.decode(first, ignore);
      decoder.decode(record, ignore);
    }),
    'decode: message, views': time(count, () => decodeMessage(whole)),
    'decode: generated codec, views': time(count, () => raftpb.Message.decode(whole)),
  };
  console.log(`${count} entries of ${size} bytes, ns an entry`);
  for (const [name, nanoseconds] of Object.entries(results))
    console.log(`  ${name.padEnd(36)}${nanoseconds.padStart(7)}`);
}
