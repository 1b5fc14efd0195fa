import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nextBelow, SeededRandom } from '@quorate/base';
import type { HeaderField } from './header-field.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder, writeHpackInteger } from './hpack-encoder.ts';
import { huffmanDecode, huffmanEncode, huffmanScratch } from './huffman.ts';

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

function decode(decoder: HpackDecoder, block: Uint8Array): string[] {
  const fields: HeaderField[] = [];
  const count = decoder.decode(block, 0, block.length, fields);
  assert.ok(count >= 0, 'decodes');
  return fields.slice(0, count).map((field) => `${field.name}: ${field.value}`);
}

function fails(block: Uint8Array, tableBytes = 4096): void {
  assert.equal(new HpackDecoder(tableBytes, 65_536).decode(block, 0, block.length, []), -1);
}

function table(decoder: HpackDecoder): string[] {
  const all: string[] = [];
  for (let age = 0; age < decoder.table.count; age++) {
    const field = decoder.table.at(age);
    all.push(`${field.name}: ${field.value}`);
  }
  return all;
}

interface Step {
  readonly block: string;
  readonly fields: readonly string[];
  readonly table: readonly string[];
  readonly size: number;
}

const request1 = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const request2 = [...request1, 'cache-control: no-cache'];
const request3 = [
  ':method: GET',
  ':scheme: https',
  ':path: /index.html',
  ':authority: www.example.com',
  'custom-key: custom-value',
];
const tables = [
  [':authority: www.example.com'],
  ['cache-control: no-cache', ':authority: www.example.com'],
  ['custom-key: custom-value', 'cache-control: no-cache', ':authority: www.example.com'],
] as const;

function steps(blocks: readonly [string, string, string]): Step[] {
  const fields = [request1, request2, request3];
  const sizes = [57, 110, 164];
  return blocks.map((block, i) => ({
    block,
    fields: fields[i] as string[],
    table: tables[i] as readonly string[],
    size: sizes[i] as number,
  }));
}

const date1 = 'date: Mon, 21 Oct 2013 20:13:21 GMT';
const date2 = 'date: Mon, 21 Oct 2013 20:13:22 GMT';
const location = 'location: https://www.example.com';
const cookie = 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';

/** RFC 7541 C.5 and C.6: three responses, a table of 256 bytes. */
function responses(blocks: readonly [string, string, string]): Step[] {
  return [
    {
      block: blocks[0],
      fields: [':status: 302', 'cache-control: private', date1, location],
      table: [location, date1, 'cache-control: private', ':status: 302'],
      size: 222,
    },
    {
      block: blocks[1],
      fields: [':status: 307', 'cache-control: private', date1, location],
      table: [':status: 307', location, date1, 'cache-control: private'],
      size: 222,
    },
    {
      block: blocks[2],
      fields: [':status: 200', 'cache-control: private', date2, location, 'content-encoding: gzip', cookie],
      table: [cookie, 'content-encoding: gzip', date2],
      size: 215,
    },
  ];
}

function run(allSteps: readonly Step[], tableBytes: number): void {
  const decoder = new HpackDecoder(tableBytes, 65_536);
  for (const step of allSteps) {
    assert.deepEqual(decode(decoder, hex(step.block)), step.fields);
    assert.deepEqual(table(decoder), step.table);
    assert.equal(decoder.table.size, step.size);
  }
}

describe('HPACK: the examples of RFC 7541 appendix C', () => {
  test('C.1 integers', () => {
    const cases: [number, number, string][] = [
      [10, 5, '0a'],
      [1337, 5, '1f9a0a'],
      [42, 8, '2a'],
    ];
    for (const [value, bits, expected] of cases) {
      const target = new Uint8Array(8);
      const end = writeHpackInteger(value, bits, 0, target, 0);
      assert.equal(Buffer.from(target.subarray(0, end)).toString('hex'), expected);
    }
  });

  test('C.2 single fields', () => {
    const decoder = new HpackDecoder(4096, 65_536);
    const custom = hex('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572');
    assert.deepEqual(decode(decoder, custom), ['custom-key: custom-header']);
    assert.equal(decoder.table.size, 55);
    assert.ok(decoder.changedTable);
    assert.deepEqual(decode(decoder, hex('040c 2f73 616d 706c 652f 7061 7468')), [':path: /sample/path']);
    assert.deepEqual(decode(decoder, hex('1008 7061 7373 776f 7264 0673 6563 7265 74')), ['password: secret']);
    assert.deepEqual(decode(decoder, hex('82')), [':method: GET']);
    assert.ok(!decoder.changedTable);
    assert.equal(decoder.table.count, 1);
  });

  test('C.3 requests', () => {
    run(
      steps([
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ]),
      4096,
    );
  });

  test('C.4 requests with Huffman', () => {
    run(
      steps([
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ]),
      4096,
    );
  });

  test('C.5 responses, with evictions', () => {
    run(
      responses([
        '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '4803 3330 37c1 c0bf',
        '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
      ]),
      256,
    );
  });

  test('C.6 responses with Huffman', () => {
    run(
      responses([
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
        '4883 640e ffc1 c0bf',
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ]),
      256,
    );
  });
});

describe('HPACK: what is not valid', () => {
  const cases: [string, string][] = [
    ['index 0', '80'],
    ['an index beyond the tables', 'be'],
    ['a literal with a name index beyond the tables', '7f00 0161'],
    ['a cut integer', 'ff'],
    ['an integer without end', 'ff80 8080 8080 8080 8001'],
    ['an integer too large', 'ffff ffff ff0f'],
    ['a cut string', '000a 6162'],
    ['no value', '0001 61'],
    ['a size update behind a field', '8220'],
    ['a size update too large', '3fe2 1f'],
    ['Huffman padding of zeros', '0001 6181 18'],
    ['Huffman padding of 8 bits', '0001 6182 1fff'],
    ['the end-of-string mark', '0001 6184 ffff ffff'],
  ];
  for (const [name, block] of cases) test(name, () => fails(hex(block)));
});

test('Huffman: every byte alone and in random strings', () => {
  const seed = Number(process.env.QUORATE_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = new SeededRandom(seed);
  const target = new Uint8Array(4000);
  const check = (text: string) => {
    const end = huffmanEncode(text, target, 0);
    const length = huffmanDecode(target, 0, end);
    assert.equal(length, text.length, `seed ${seed}`);
    assert.equal(Buffer.from(huffmanScratch().subarray(0, length)).toString('latin1'), text, `seed ${seed}`);
  };
  for (let byte = 0; byte < 256; byte++) check(String.fromCharCode(byte));
  for (let i = 0; i < 2000; i++) {
    let text = '';
    for (let length = nextBelow(random, 40); length > 0; length--) text += String.fromCharCode(nextBelow(random, 256));
    check(text);
  }
});

test('encoder and decoder agree on random blocks, table sizes changing', () => {
  const seed = Number(process.env.QUORATE_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = new SeededRandom(seed);
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(8192, 1_000_000);
  const names = ['x-a', 'x-b', 'token', ':path', 'cookie', 'date', 'content-type', 'x-long'];
  for (let round = 0; round < 3000; round++) {
    if (nextBelow(random, 50) === 0) encoder.setPeerTableSize(nextBelow(random, 8192));
    encoder.begin();
    const expected: string[] = [];
    for (let count = nextBelow(random, 8); count > 0; count--) {
      const name = names[nextBelow(random, names.length)] as string;
      const long = nextBelow(random, 20) === 0;
      const value = `v${nextBelow(random, 30)}${long ? '\u00e4'.repeat(nextBelow(random, 5000)) : ''}`;
      expected.push(`${name}: ${value}`);
      if (nextBelow(random, 3) === 0) encoder.addLiteral(name, value);
      else encoder.addIndexed(name, value);
    }
    assert.deepEqual(decode(decoder, encoder.end()), expected, `seed ${seed} round ${round}`);
  }
});

test('the decoder survives any bytes', () => {
  const seed = Number(process.env.QUORATE_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = new SeededRandom(seed);
  const fields: HeaderField[] = [];
  let valid = 0;
  for (let i = 0; i < 20_000; i++) {
    const decoder = new HpackDecoder(4096, 65_536);
    const bytes = Uint8Array.from({ length: nextBelow(random, 30) }, () => nextBelow(random, 256));
    if (decoder.decode(bytes, 0, bytes.length, fields) >= 0) valid++;
    assert.ok(decoder.table.size <= 4096, `seed ${seed}`);
  }
  assert.ok(valid > 0, `seed ${seed}`);
});
