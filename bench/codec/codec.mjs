// Codecs side by side: ours against protobufjs, protobuf-es and pbf, on the messages of the hot paths.
//   npx tsc -b packages/api/tsconfig.json && node bench/codec/codec.mjs [part of a message name]
// Figures are nanoseconds an operation, best of several rounds. All candidates get the same bytes and the same values.
import { candidates } from './candidates.mjs';
import { cases } from './cases.mjs';

let sink;

function timeMs(operation, count) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) sink = operation();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** The best of many short rounds: some of them fit between whatever else the machine does. */
function nanosecondsEach(operation, roundMs = 3, rounds = 60) {
  let count = 64;
  while (timeMs(operation, count) < 30) count *= 2;
  count = Math.max(1, Math.ceil((count * roundMs) / 30));
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) best = Math.min(best, timeMs(operation, count));
  return (best * 1e6) / count;
}

const filter = process.argv[2] ?? '';
const others = await candidates();
const rows = [];
for (const { title, name, ours, message, raw } of cases) {
  if (!title.includes(filter)) continue;
  // What sockets hand out.
  const bytes = Buffer.from(ours.encode(message));
  const target = new Uint8Array(bytes.length);
  const measured = {
    ours: { decode: () => ours.decode(bytes), encode: () => ours.encode(message) },
    'ours, write into a given buffer': { encode: () => ours.write(message, target, 0) },
  };
  if (raw) {
    const parts = raw.decode(bytes);
    measured['ours, Raw'] = { decode: () => raw.decode(bytes), encode: () => raw.encode(parts) };
  }
  for (const [candidate, codecOf] of Object.entries(others)) {
    const codec = codecOf(name);
    const theirs = codec.decode(bytes);
    measured[candidate] = { decode: () => codec.decode(bytes), encode: () => codec.encode(theirs) };
  }
  for (const [candidate, { decode, encode }] of Object.entries(measured)) {
    rows.push({
      message: title,
      bytes: bytes.length,
      candidate,
      'decode ns': decode ? Math.round(nanosecondsEach(decode)) : '',
      'encode ns': encode ? Math.round(nanosecondsEach(encode)) : '',
    });
  }
}
console.table(rows);
if (sink === undefined) console.log('nothing measured');
