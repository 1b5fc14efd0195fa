import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyMessageCodec, Field } from './codec.ts';
import * as api from './index.ts';
import { messageTypesOf, randomMessage, TestRandom } from './testing/random-message.ts';
import { referenceEncode } from './testing/reference-encoder.ts';

const rounds = Number(process.env.QUORATE_ROUNDS ?? 40);
const seed = Number(process.env.QUORATE_SEED ?? 20261120);

const namespaces = [
  api.authpb,
  api.etcdserverpb,
  api.healthpb,
  api.leasepb,
  api.membershippb,
  api.mvccpb,
  api.raftpb,
  api.snappb,
  api.v3electionpb,
  api.v3lockpb,
  api.walpb,
];
const allTypes = namespaces.flatMap(messageTypesOf);

interface OracleType {
  fromObject(object: object): object;
  encode(message: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
  toObject(message: object, options: object): Record<string, unknown>;
}
interface GenerateScript {
  loadProtos(): { lookupType(name: string): OracleType };
  generate(): Map<string, string>;
}
const script = (await import(new URL('../scripts/generate.mjs', import.meta.url).href)) as GenerateScript;
const oracle = script.loadProtos();

function forEachRound(type: AnyMessageCodec, body: (message: object, random: TestRandom) => void): void {
  for (let round = 0; round < rounds; round++) {
    const roundSeed = seed + round * 7919;
    const random = new TestRandom(roundSeed);
    const message = randomMessage(random, type);
    try {
      body(message, random);
    } catch (error) {
      throw new Error(`${type.name}, QUORATE_SEED=${roundSeed} QUORATE_ROUNDS=1`, { cause: error });
    }
  }
}

/** What protobufjs's fromObject takes and, with zero values left out, what its toObject gives. */
function plain(type: AnyMessageCodec, message: object): Record<string, unknown> {
  const values = message as Record<string, unknown>;
  const object: Record<string, unknown> = {};
  for (const field of type.fields) {
    const value = values[field.key];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    if (field.label === 'map') {
      const entries = [...(value as Map<string, unknown>)].map(([key, item]) => [key, plainValue(field, item)]);
      if (entries.length > 0) object[field.name] = Object.fromEntries(entries);
    } else if (field.label === 'repeated') {
      object[field.name] = (value as unknown[]).map((item) => plainValue(field, item));
    } else if (field.presence || field.kind === 'message' || !isZero(value)) {
      object[field.name] = plainValue(field, value);
    }
  }
  return object;
}

function isZero(value: unknown): boolean {
  return value === 0 || value === 0n || value === false || value === '' || (value as Uint8Array).length === 0;
}

function plainValue(field: Field, value: unknown): unknown {
  if (field.kind === 'message') return plain((field.message as () => AnyMessageCodec)(), value as object);
  if (field.kind === 'bytes') return Buffer.from(value as Uint8Array).toString('base64');
  return field.kind === 'int64' || field.kind === 'uint64' ? String(value) : value;
}

/** Drops zeros that proto2 messages carry explicitly, at every level, and fills what is always present. */
function viaOurs(type: AnyMessageCodec, object: Record<string, unknown>): Record<string, unknown> {
  const bytes = oracle.lookupType(type.name).encode(oracle.lookupType(type.name).fromObject(object)).finish();
  return plain(type, type.decode(bytes));
}

test('there are as many messages as the .proto files declare', () => {
  assert.equal(allTypes.length, new Set(allTypes.map(({ name }) => name)).size);
  for (const { name } of allTypes) assert.ok(oracle.lookupType(name), name);
});

test('a message comes back as it was, and its length is foretold', () => {
  for (const type of allTypes) {
    forEachRound(type, (message) => {
      const bytes = type.encode(message);
      assert.equal(bytes.length, type.byteLength(message));
      assert.deepEqual(plain(type, type.decode(bytes)), plain(type, message));
      assert.deepEqual(type.encode(type.decode(bytes)), bytes);
      assert.deepEqual(Object.keys(type.decode(bytes)), Object.keys(type.create()), 'one shape');
    });
  }
});

test('the bytes are those of a dumb encoder', () => {
  for (const type of allTypes) {
    forEachRound(type, (message) => {
      assert.deepEqual([...type.encode(message)], referenceEncode(type, message));
    });
  }
});

test('protobufjs reads what we write', () => {
  for (const type of allTypes) {
    const theirs = oracle.lookupType(type.name);
    forEachRound(type, (message) => {
      const object = theirs.toObject(theirs.decode(type.encode(message)), { longs: String, bytes: String });
      const expected = plain(type, message);
      // Both sides once more through our decoder: explicit zeros of proto2 messages are no difference.
      assert.deepEqual(viaOurs(type, object), viaOurs(type, expected));
      for (const key of Object.keys(expected)) assert.ok(key in object, key);
    });
  }
});

test('we read what protobufjs writes', () => {
  for (const type of allTypes) {
    const theirs = oracle.lookupType(type.name);
    forEachRound(type, (message) => {
      const expected = plain(type, message);
      const bytes = theirs.encode(theirs.fromObject(expected)).finish();
      assert.deepEqual(plain(type, type.decode(type.encode(type.decode(bytes)))), plain(type, type.decode(bytes)));
      assert.deepEqual(plain(type, type.decode(bytes)), plain(type, message));
    });
  }
});

test('a message is read from its window only and written where it should be', () => {
  for (const type of allTypes) {
    forEachRound(type, (message, random) => {
      const bytes = type.encode(message);
      const before = random.below(5);
      const room = new Uint8Array(before + bytes.length + random.below(5)).fill(0xff);
      assert.equal(type.write(message, room, before), before + bytes.length);
      assert.deepEqual(plain(type, type.decode(room, before, before + bytes.length)), plain(type, message));
      assert.ok(room.subarray(0, before).every((byte) => byte === 0xff));
      assert.ok(room.subarray(before + bytes.length).every((byte) => byte === 0xff));
      if (bytes.length > 0) {
        assert.throws(() => type.write(message, new Uint8Array(bytes.length - 1), 0), RangeError);
      }
    });
  }
});

test('broken bytes give a DecodeError and nothing else, and the window holds', () => {
  for (const type of allTypes) {
    forEachRound(type, (message, random) => {
      for (let attempt = 0; attempt < 5; attempt++) {
        const bytes = mutate(type.encode(message), random);
        const first = outcome(type, bytes, 0, bytes.length);
        const inside = new Uint8Array(bytes.length + 20).fill(attempt % 2 === 0 ? 0x80 : 0x01);
        inside.set(bytes, 10);
        const second = outcome(type, inside, 10, 10 + bytes.length);
        assert.deepEqual(second, first, 'what lies around the window matters');
      }
    });
  }
});

function mutate(source: Uint8Array, random: TestRandom): Uint8Array {
  const bytes = Uint8Array.from(source.subarray(0, random.chance(2) ? source.length : random.below(source.length + 1)));
  for (let changes = 1 + random.below(3); changes > 0 && bytes.length > 0; changes--) {
    bytes[random.below(bytes.length)] = random.chance(2)
      ? random.nextUint32()
      : (bytes[0] as number) ^ (1 << random.below(8));
  }
  return bytes;
}

function outcome(type: AnyMessageCodec, bytes: Uint8Array, start: number, end: number): unknown {
  try {
    const message = type.decode(bytes, start, end);
    return [plain(type, message), [...type.encode(message)]];
  } catch (error) {
    if (!(error instanceof api.DecodeError)) throw error;
    assert.equal(error.messageType, type.name);
    return error.code;
  }
}

test('the generated files are what the generator makes of the .proto files', async () => {
  const { readFileSync, readdirSync } = await import('node:fs');
  const folder = new URL('../src/generated/', import.meta.url);
  const files = script.generate();
  assert.deepEqual(readdirSync(folder).sort(), [...files.keys()].sort());
  for (const [name, text] of files) {
    assert.ok(
      readFileSync(new URL(name, folder), 'utf8') === text,
      `${name} is stale: npm run generate -w packages/api`,
    );
  }
});
