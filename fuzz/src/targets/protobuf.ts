import * as api from '@quorate/api';
import { type AnyMessageCodec, DecodeError } from '@quorate/api';
import { concatBytes, copyBytes, equalBytes, nextBelow, type Random } from '@quorate/base';
import { codeOf, rule, type Target } from '../engine/target.ts';
import { randomMessage, TestRandom } from './inside.ts';
import { plain, sameAsTheirs } from './protobuf-reference.ts';

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

/** Every message type, in an order that stays. */
export const messageTypes: readonly AnyMessageCodec[] = namespaces
  .flatMap((namespace) => Object.values(namespace as object) as unknown[])
  .filter((value): value is AnyMessageCodec => typeof value === 'object' && value !== null && 'fields' in value)
  .sort((a, b) => (a.name < b.name ? -1 : 1));

/** The first byte chooses the type. */
export function typeOf(input: Uint8Array): AnyMessageCodec {
  return messageTypes[(input[0] ?? 0) % messageTypes.length] as AnyMessageCodec;
}

export function withType(index: number, bytes: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(index), bytes]);
}

/** Exchanges, drops and doubles whole fields of the outermost message, or puts a message of another type in. */
function withOtherFields(input: Uint8Array, random: Random): Uint8Array {
  const fields = cutFields(input.subarray(1));
  const at = nextBelow(random, fields.length + 1);
  switch (nextBelow(random, 4)) {
    case 0:
      fields.splice(at, 1);
      break;
    case 1:
      fields.splice(nextBelow(random, fields.length + 1), 0, fields[at] ?? Uint8Array.of(0x08, 0));
      break;
    case 2: {
      const type = messageTypes[nextBelow(random, messageTypes.length)] as AnyMessageCodec;
      const inner = copyBytes(type.encode(randomMessage(new TestRandom(random.nextUint32()), type, 1)));
      const length = Math.min(inner.length, 127);
      const tag = ((1 + nextBelow(random, 15)) << 3) | 2;
      fields.splice(at, 0, concatBytes([Uint8Array.of(tag, length), inner.subarray(0, length)]));
      break;
    }
    default: {
      // A group, which nobody writes and everybody skips.
      const number = 1 + nextBelow(random, 15);
      const inner = fields[at] ?? Uint8Array.of();
      fields[at] = concatBytes([Uint8Array.of((number << 3) | 3), inner, Uint8Array.of((number << 3) | 4)]);
    }
  }
  return concatBytes([input.subarray(0, 1), ...fields]);
}

function cutFields(bytes: Uint8Array): Uint8Array[] {
  const fields: Uint8Array[] = [];
  try {
    for (let position = 0; position < bytes.length; ) {
      const tag = api.readTag(bytes, position, bytes.length);
      const end = api.skipField(bytes, api.cursor.position, bytes.length, tag);
      fields.push(bytes.subarray(position, end));
      position = end;
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  return fields;
}

export const protobufTarget: Target = {
  name: 'protobuf',
  watches: ['/api/dist/'],
  inputBytesMax: 4096,
  testRuns: 5000,
  async seeds(random) {
    return messageTypes.map((type, i) =>
      withType(i, copyBytes(type.encode(randomMessage(new TestRandom(random.nextUint32()), type)))),
    );
  },
  mutate: withOtherFields,
  run(input) {
    const type = typeOf(input);
    const bytes = input.slice(1);
    let message: object;
    let code = 'ok';
    try {
      message = type.decode(bytes);
    } catch (error) {
      code = codeOf(error, (thrown) => thrown instanceof DecodeError);
      sameAsTheirs(type, bytes, undefined, code);
      return code;
    }
    const encoded = type.encode(message);
    rule(encoded.length === type.byteLength(message), 'another length than foretold');
    const again = type.decode(encoded);
    rule(equalBytes(type.encode(again), encoded), `${type.name}: another message after writing and reading it`);
    rule(JSON.stringify(plain(type, again)) === JSON.stringify(plain(type, message)), `${type.name}: other values`);
    sameAsTheirs(type, bytes, message, code);
    return code;
  },
};
