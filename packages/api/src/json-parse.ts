/**
 * A JSON parser (RFC 8259) for what `JSON.parse` loses: 64-bit numbers, names given twice, and where a value ends, for
 * bodies that are a sequence of values.
 */

/** A number as it is spelled. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** An object with its members in order; a name may come twice. */
export class JsonObject {
  readonly members: readonly (readonly [name: string, value: JsonValue])[];

  constructor(members: readonly (readonly [name: string, value: JsonValue])[]) {
    this.members = members;
  }
}

export type JsonValue = null | boolean | string | JsonNumber | JsonObject | readonly JsonValue[];

/** Text that is not JSON, or JSON that is not the message it should be. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
  /** The text ended within a value: more of it may help. */
  readonly incomplete: boolean;

  constructor(message: string, incomplete = false) {
    super(message);
    this.incomplete = incomplete;
  }
}

/** Arrays and objects inside one another. */
const depthMax = 500;

const space = /[ \t\r\n]*/y;
// A whole number that reaches the end of the text may go on; that is for the caller to know, who sees where it ended.
const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// What can stand behind it, or instead of it, when the text was cut within a number.
const numberRest = /-|\.|[eE][+-]?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are just what a string must not hold
const plainCharacters = /[^"\\\u0000-\u001f]*/y;
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * Reads the first value at or behind `start`.
 * @returns the value and the position behind it; undefined when only white space is left.
 * @throws JsonError
 */
export function parseJson(text: string, start = 0): { readonly value: JsonValue; readonly end: number } | undefined {
  const parser = new Parser(text, start);
  parser.skipSpace();
  if (parser.position === text.length) return undefined;
  const value = parser.readValue(0);
  return { value, end: parser.position };
}

class Parser {
  private readonly text: string;
  position: number;

  constructor(text: string, position: number) {
    this.text = text;
    this.position = position;
  }

  skipSpace(): void {
    this.match(space);
  }

  readValue(depth: number): JsonValue {
    if (depth > depthMax) throw new JsonError(`nested deeper than ${depthMax}`);
    const first = this.text[this.position];
    switch (first) {
      case '{':
        return this.readObject(depth);
      case '[':
        return this.readArray(depth);
      case '"':
        return this.readString();
      case 't':
        return this.readWord('true', true);
      case 'f':
        return this.readWord('false', false);
      case 'n':
        return this.readWord('null', null);
      default:
        return this.readNumber();
    }
  }

  private readNumber(): JsonNumber {
    const number = this.match(numberPattern);
    const end = this.position;
    if (this.match(numberRest) !== '' && this.position === this.text.length) throw this.unexpected();
    this.position = end;
    if (number === '') throw this.unexpected();
    return new JsonNumber(number);
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.position;
    const matched = pattern.exec(this.text)?.[0] ?? '';
    this.position += matched.length;
    return matched;
  }

  private unexpected(): JsonError {
    if (this.position >= this.text.length) return new JsonError('unexpected end of JSON input', true);
    return new JsonError(`unexpected character at ${this.position} of the JSON input`);
  }

  private readWord<Value extends boolean | null>(word: string, value: Value): Value {
    const given = this.text.slice(this.position, this.position + word.length);
    if (given !== word) {
      if (word.startsWith(given)) this.position = this.text.length;
      throw this.unexpected();
    }
    this.position += word.length;
    return value;
  }

  /** Consumes one of `characters`, behind white space. */
  private expect(characters: string): string {
    this.skipSpace();
    const character = this.text[this.position] ?? '';
    if (character === '' || !characters.includes(character)) throw this.unexpected();
    this.position++;
    return character;
  }

  private readArray(depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    this.position++;
    this.skipSpace();
    if (this.text[this.position] === ']') {
      this.position++;
      return items;
    }
    do {
      this.skipSpace();
      items.push(this.readValue(depth + 1));
    } while (this.expect(',]') === ',');
    return items;
  }

  private readObject(depth: number): JsonObject {
    const members: [string, JsonValue][] = [];
    this.position++;
    this.skipSpace();
    if (this.text[this.position] === '}') {
      this.position++;
      return new JsonObject(members);
    }
    do {
      this.skipSpace();
      if (this.text[this.position] !== '"') throw this.unexpected();
      const name = this.readString();
      this.expect(':');
      this.skipSpace();
      members.push([name, this.readValue(depth + 1)]);
    } while (this.expect(',}') === ',');
    return new JsonObject(members);
  }

  private readString(): string {
    this.position++;
    let result = this.match(plainCharacters);
    while (this.text[this.position] === '\\') {
      result += this.readEscape();
      result += this.match(plainCharacters);
    }
    if (this.text[this.position] !== '"') throw this.unexpected();
    this.position++;
    if (/\p{Surrogate}/u.test(result)) throw new JsonError('a lone surrogate in a JSON string');
    return result;
  }

  private readEscape(): string {
    const letter = this.text[this.position + 1];
    if (letter === undefined) this.position = this.text.length;
    else if (letter === 'u') return this.readUnicodeEscape();
    const character = letter === undefined ? undefined : escapes[letter];
    if (character === undefined) throw this.unexpected();
    this.position += 2;
    return character;
  }

  private readUnicodeEscape(): string {
    const digits = this.text.slice(this.position + 2, this.position + 6);
    if (!/^[0-9a-fA-F]*$/.test(digits)) throw this.unexpected();
    if (digits.length < 4) {
      this.position = this.text.length;
      throw this.unexpected();
    }
    this.position += 6;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }
}
