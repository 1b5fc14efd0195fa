import { concatBytes, nextBelow, type Random, utf8ToBytes } from '@quorate/base';
import { joinParts, splitParts } from '../engine/parts.ts';
import { rule, type Target } from '../engine/target.ts';
import { type HeaderField, HpackDecoder, HpackEncoder, raw, writeHpackInteger, writeHpackText } from './inside.ts';
import { theirHeaders } from './nghttp2.ts';

const tableBytes = 4096;
const blocksMax = 6;
const names = ['x-a', 'user-agent', 'content-type', 'te', 'grpc-timeout', 'x-long', 'cookie', 'accept'];
/** With these in front a block is a request, and nghttp2 shows the rest. */
const request = raw.headerBlock([
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
]);

/** Behind the size updates that a block may begin with. */
function afterUpdates(block: Uint8Array): number {
  let at = 0;
  while (at < block.length && ((block[at] as number) & 0xe0) === 0x20) {
    const isLong = (block[at++] as number) === 0x3f;
    while (isLong && at < block.length && (block[at++] as number) >= 0x80);
  }
  return at;
}

function asRequest(block: Uint8Array): Uint8Array {
  const at = afterUpdates(block);
  return concatBytes([block.subarray(0, at), request, block.subarray(at)]);
}

function textOf(random: Random): string {
  const length = nextBelow(random, nextBelow(random, 5) === 0 ? 300 : 20);
  return Array.from({ length }, () => String.fromCharCode(0x21 + nextBelow(random, 94))).join('');
}

function writtenBlocks(random: Random): Uint8Array {
  const encoder = new HpackEncoder();
  const blocks = Array.from({ length: 1 + nextBelow(random, 4) }, () => {
    if (nextBelow(random, 4) === 0) encoder.setPeerTableSize(nextBelow(random, 3) * 100);
    encoder.begin();
    for (let count = nextBelow(random, 6); count > 0; count--) {
      const name = names[nextBelow(random, names.length)] as string;
      if (nextBelow(random, 3) === 0) encoder.addLiteral(name, textOf(random));
      else encoder.addIndexed(name, nextBelow(random, 2) === 0 ? 'again' : textOf(random));
    }
    return encoder.end().slice();
  });
  return joinParts(blocks);
}

/** A field in any of the forms, put where a field may begin or anywhere. */
function withField(input: Uint8Array, random: Random): Uint8Array {
  const blocks = splitParts(input);
  const at = nextBelow(random, blocks.length + 1);
  const block = blocks[at] ?? new Uint8Array(0);
  const target = new Uint8Array(800);
  const forms = [
    { bits: 7, pattern: 0x80, texts: 0 },
    { bits: 6, pattern: 0x40, texts: 1 },
    { bits: 4, pattern: 0, texts: 1 },
    { bits: 4, pattern: 0x10, texts: 1 },
    { bits: 5, pattern: 0x20, texts: 0 },
  ];
  const form = forms[nextBelow(random, forms.length)] as (typeof forms)[number];
  const indexes = [0, 1, nextBelow(random, 70), 61, 62, 63, nextBelow(random, 5000), 4096, 4097];
  const index = indexes[nextBelow(random, indexes.length)] as number;
  let end = writeHpackInteger(index, form.bits, form.pattern, target, 0);
  if (form.texts > 0 && index === 0)
    end = writeHpackText(names[nextBelow(random, names.length)] as string, target, end);
  if (form.texts > 0) end = writeHpackText(textOf(random), target, end);
  const place = nextBelow(random, 2) === 0 ? 0 : nextBelow(random, block.length + 1);
  blocks[at] = concatBytes([block.subarray(0, place), target.subarray(0, end), block.subarray(place)]);
  return joinParts(blocks);
}

interface Decoded {
  readonly lists: string[][];
  readonly failed: boolean;
}

function ourHeaders(blocks: readonly Uint8Array[]): Decoded {
  const decoder = new HpackDecoder(tableBytes, 1_000_000);
  const lists: string[][] = [];
  for (const block of blocks) {
    const fields: HeaderField[] = [];
    const count = decoder.decode(block, 0, block.length, fields);
    if (count < 0) return { lists, failed: true };
    lists.push(fields.slice(0, count).flatMap(({ name, value }) => [name, value]));
    rule(decoder.table.sizeMax <= tableBytes, 'a table larger than allowed');
  }
  return { lists, failed: false };
}

/** nghttp2 decodes fields that HTTP forbids and leaves them out; of a host it wants to know more. */
function isForbidden(name: string, value: string): boolean {
  if (name === 'host') return true;
  return !/^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]|^[\t ]|[\t ]$/.test(value);
}

function isSameBut(mine: readonly string[], theirs: readonly string[]): boolean {
  let next = 0;
  for (let i = 0; i < mine.length; i += 2) {
    if (mine[i] === theirs[next] && mine[i + 1] === theirs[next + 1]) next += 2;
    else if (!isForbidden(mine[i] as string, mine[i + 1] as string)) return false;
  }
  return next === theirs.length;
}

function checkWriting(lists: readonly (readonly string[])[]): void {
  const encoder = new HpackEncoder();
  const blocks = lists.map((list) => {
    encoder.begin();
    for (let i = 0; i < list.length; i += 2) {
      const [name, value] = [list[i] as string, list[i + 1] as string];
      if (i % 3 === 0) encoder.addLiteral(name, value);
      else encoder.addIndexed(name, value);
    }
    return encoder.end().slice();
  });
  const again = ourHeaders(blocks);
  rule(JSON.stringify(again.lists) === JSON.stringify(lists), 'other fields after writing and reading them');
}

export const hpackTarget: Target = {
  name: 'hpack',
  watches: ['/transport/dist/hpack/'],
  inputBytesMax: 3000,
  testRuns: 3000,
  words: [utf8ToBytes('a'), Uint8Array.of(0x3f, 0xe1, 0x1f), Uint8Array.of(0x20), Uint8Array.of(0xff, 0x80, 0x80)],
  async seeds(random) {
    return Array.from({ length: 16 }, () => writtenBlocks(random));
  },
  mutate: withField,
  async run(input) {
    const blocks = splitParts(input).slice(0, blocksMax).map(asRequest);
    const ours = ourHeaders(blocks);
    const theirs = await theirHeaders(blocks);
    rule(ours.failed === theirs.failed, `${ours.failed ? 'refused' : 'read'} other than nghttp2`);
    for (const [i, list] of theirs.lists) {
      const mine = ours.lists[i];
      rule(mine !== undefined, `block ${i} refused, nghttp2 reads it`);
      rule(isSameBut(mine, list), `block ${i}: ${mine} and not ${list}`);
    }
    checkWriting(ours.lists);
    return `${ours.failed ? 'refused' : 'ok'} ${ours.lists.length}, shown ${theirs.lists.size}`;
  },
};
