import {
  type AnyMessageCodec,
  fromJson,
  JsonError,
  JsonNumber,
  JsonObject,
  type JsonValue,
  parseJson,
  toJson,
} from '@quorate/api';
import { equalBytes, type Random, utf8ToBytes } from '@quorate/base';
import { codeOf, rule, type Target } from '../engine/target.ts';
import { randomMessage, TestRandom } from './inside.ts';
import { messageTypes, typeOf, withType } from './protobuf.ts';

const words = [
  ...['{', '}', '[', ']', ',', ':', '"', '\\', '\\u', '\\ud83d', '\\ude00', 'null', 'true', 'false', ' ', '\n'],
  ...['0', '-', '1', '.', 'e', 'E+', '18446744073709551615', '18446744073709551616', '-9223372036854775808'],
  ...['9007199254740993', '0e999999999', '1e400', '0.1e1', '"AA=="', '"_-8"', '"AAA"', '"__proto__":', '"NaN"'],
  ...['"key":', '"range_end":', '"kvs":', '"ID":', '"header":', '"sortOrder":', '"DESCEND"', '\u00e9', '\u{1f600}'],
].map(utf8ToBytes);

/** A value as JSON.parse has it, for what both can say. */
function asParsed(value: JsonValue): unknown {
  if (value instanceof JsonNumber) return Number(value.text);
  if (value instanceof JsonObject)
    return Object.fromEntries(value.members.map(([name, item]) => [name, asParsed(item)]));
  return Array.isArray(value) ? value.map(asParsed) : value;
}

function parsedByNode(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/** Our parser and JSON.parse agree on what is JSON and what it says. */
function checkParser(text: string): string | { readonly value: JsonValue } {
  let parsed: ReturnType<typeof parseJson>;
  try {
    parsed = parseJson(text);
  } catch (error) {
    const code = codeOf(error, (thrown) => thrown instanceof JsonError);
    const { message } = error as Error;
    // Depth has a limit, and halves of characters are no text.
    const isMeant = /nested|surrogate/.test(message);
    rule(isMeant || parsedByNode(text) === undefined, `refused JSON: ${message}`);
    return code;
  }
  if (parsed === undefined) return 'empty';
  const expected = parsedByNode(text.slice(0, parsed.end));
  rule(expected !== undefined, 'read what is no JSON');
  rule(JSON.stringify(asParsed(parsed.value)) === JSON.stringify(expected.value), 'another value than JSON.parse');
  return parsed;
}

export const jsonTarget: Target = {
  name: 'json',
  watches: ['/api/dist/json', '/api/dist/base64', '/api/dist/utf8'],
  inputBytesMax: 4096,
  testRuns: 12_000,
  words,
  async seeds(random: Random) {
    return messageTypes.map((type, i) => {
      const message = randomMessage(new TestRandom(random.nextUint32()), type, 2);
      return withType(i, utf8ToBytes(JSON.stringify(toJson(type, message))));
    });
  },
  run(input) {
    const type: AnyMessageCodec = typeOf(input);
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(input.subarray(1));
    const parsed = checkParser(text);
    if (typeof parsed === 'string') return parsed;
    let message: object;
    try {
      message = fromJson(type, parsed.value);
    } catch (error) {
      return `message: ${codeOf(error, (thrown) => thrown instanceof JsonError)}`;
    }
    // What goes on is the wire form; written as JSON and read again it must be the same.
    const wire = type.encode(message);
    const again = fromJson(type, (parseJson(JSON.stringify(toJson(type, message))) as { value: JsonValue }).value);
    rule(equalBytes(type.encode(again), wire), `${type.name}: another message after writing and reading it`);
    rule(equalBytes(type.encode(type.decode(wire)), wire), `${type.name}: another message over the wire`);
    return 'ok';
  },
};
