import { CodedError } from '@quorate/base';

/** Integers are bigint, so that 64-bit ids keep their last digits; objects are maps, so that no name is special. */
export type JsonValue = string | bigint | number | boolean | null | JsonValue[] | JsonObject;
export type JsonObject = Map<string, JsonValue>;

type JsonError = CodedError<'json/malformed', { readonly position: number }>;

/** Arrays and objects within one another. */
const depthMax = 32;

function malformed(what: string, position: number): JsonError {
  return new CodedError('json/malformed', `malformed JSON at ${position}: ${what}`, { data: { position } });
}

class Parser {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  document(): JsonValue {
    const value = this.value(0);
    this.skipSpace();
    if (this.at < this.text.length) throw malformed('something behind the value', this.at);
    return value;
  }

  private value(depth: number): JsonValue {
    if (depth > depthMax) throw malformed('nested too deep', this.at);
    this.skipSpace();
    const first = this.text[this.at];
    if (first === '{') return this.object(depth);
    if (first === '[') return this.array(depth);
    if (first === '"') return this.string();
    for (const [word, value] of words) {
      if (!this.text.startsWith(word, this.at)) continue;
      this.at += word.length;
      return value;
    }
    return this.number();
  }

  private object(depth: number): JsonObject {
    const object: JsonObject = new Map();
    this.at++;
    this.skipSpace();
    if (this.take('}')) return object;
    do {
      this.skipSpace();
      if (this.text[this.at] !== '"') throw malformed('a name is missing', this.at);
      const name = this.string();
      this.skipSpace();
      if (!this.take(':')) throw malformed('":" is missing', this.at);
      object.set(name, this.value(depth + 1));
      this.skipSpace();
    } while (this.take(','));
    if (!this.take('}')) throw malformed('"}" is missing', this.at);
    return object;
  }

  private array(depth: number): JsonValue[] {
    const array: JsonValue[] = [];
    this.at++;
    this.skipSpace();
    if (this.take(']')) return array;
    do {
      array.push(this.value(depth + 1));
      this.skipSpace();
    } while (this.take(','));
    if (!this.take(']')) throw malformed('"]" is missing', this.at);
    return array;
  }

  private string(): string {
    const start = this.at;
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    this.at = end + 1;
    try {
      return JSON.parse(this.text.slice(start, this.at)) as string;
    } catch {
      throw malformed('bad string', start);
    }
  }

  private number(): bigint | number {
    numberPattern.lastIndex = this.at;
    const match = numberPattern.exec(this.text);
    if (match === null) throw malformed('no value', this.at);
    this.at += match[0].length;
    return match[1] === undefined && match[2] === undefined ? BigInt(match[0]) : Number(match[0]);
  }

  private take(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private skipSpace(): void {
    while (' \t\n\r'.includes(this.text[this.at] ?? 'x')) this.at++;
  }
}

const numberPattern = /-?(?:0|[1-9][0-9]{0,308})(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const words: readonly (readonly [string, JsonValue])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
];

/** @throws {JsonError} */
export function parseJson(text: string): JsonValue {
  return new Parser(text).document();
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** A JSON string as Go's encoder writes it: `<`, `>`, `&`, U+2028, U+2029 and control characters escaped. */
export function jsonString(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  const escaped = text.replace(/["\\<>&\u2028\u2029\u0000-\u001f]/g, (character) => {
    return escapes.get(character) ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}

/** A JSON array of strings. */
export function jsonStrings(texts: readonly string[]): string {
  return `[${texts.map(jsonString).join(',')}]`;
}

/** A field of an object, its name compared without regard to case as Go does; an exact match wins. */
export function jsonField(object: JsonObject, name: string): JsonValue | undefined {
  const exact = object.get(name);
  if (exact !== undefined) return exact;
  for (const [key, value] of object) if (key.toLowerCase() === name.toLowerCase()) return value;
  return undefined;
}
