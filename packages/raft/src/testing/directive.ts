/** One argument of a directive: `key`, `key=value` or `key=(v1,v2)`. */
export interface ScenarioArgument {
  readonly key: string;
  /** Undefined for a bare word; none for `key=()`. */
  readonly values: readonly string[] | undefined;
}

export interface Directive {
  readonly command: string;
  readonly args: readonly ScenarioArgument[];
}

/**
 * Reads a directive line. Quotes mean nothing: a value goes to the next blank, or to its closing parenthesis.
 * @throws {Error} naming the line and the column where it is malformed.
 */
export function parseDirective(text: string, line: number): Directive {
  const malformed = (at: number): never => {
    throw new Error(`line ${line}: cannot parse directive at column ${at + 1}: ${text}`);
  };
  const args: ScenarioArgument[] = [];
  const word = /[^\s=]+/y;
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const taken = pattern.exec(text)?.[0];
    at += taken?.length ?? 0;
    return taken;
  };
  take(/\s*/y);
  const command = take(/\S+/y) ?? malformed(at);
  for (take(/\s*/y); at < text.length; take(/\s*/y)) {
    const key = take(word) ?? malformed(at);
    if (text[at] !== '=') {
      args.push({ key, values: undefined });
      continue;
    }
    at++;
    if (text[at] !== '(') {
      args.push({ key, values: [take(/\S*/y) ?? ''] });
      continue;
    }
    const end = closingParenthesis(text, at);
    if (end < 0) malformed(at);
    args.push({ key, values: splitList(text.slice(at + 1, end)) });
    at = end + 1;
  }
  return { command, args };
}

function closingParenthesis(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '(') depth++;
    if (text[i] === ')' && --depth === 0) return i;
  }
  return -1;
}

/** Values between commas or blanks outside of inner parentheses. */
function splitList(text: string): string[] {
  const values: string[] = [];
  let depth = 0;
  let value = '';
  for (const char of `${text},`) {
    if (char === '(') depth++;
    if (char === ')') depth--;
    if (depth > 0 || !/[\s,]/.test(char)) {
      value += char;
    } else {
      if (value !== '') values.push(value);
      value = '';
    }
  }
  return values;
}

/** Values of `key` wherever it is given, in order. @throws {Error} when it stands without a value */
export function listOf({ args }: Directive, key: string): readonly string[] {
  return args.flatMap((arg) => {
    if (arg.key !== key) return [];
    if (arg.values === undefined) throw new Error(`${key} needs a value`);
    return arg.values;
  });
}

/** The one value of `key`, undefined when it is not given; of several the last holds. @throws {Error} on a list */
export function optionOf(directive: Directive, key: string): string | undefined {
  const given = directive.args.filter((arg) => arg.key === key);
  if (given.some(({ values }) => values !== undefined && values.length !== 1)) throw new Error(`${key} is no list`);
  return listOf(directive, key).at(-1);
}

/** Whether `key=true` is given. @throws {Error} on what is neither true nor false */
export function flagOf(directive: Directive, key: string): boolean {
  const value = optionOf(directive, key);
  if (value === undefined || /^(?:0|f|false)$/i.test(value)) return false;
  if (/^(?:1|t|true)$/i.test(value)) return true;
  throw new Error(`${key} must be true or false, not ${value}`);
}

/** A count or an index. @throws {Error} on anything else */
export function numberFrom(text: string | undefined, what: string): number {
  const value = Number(text);
  if (text === undefined || !/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new Error(`${what} must be a number up to 2^53 - 1, not ${text}`);
  }
  return value;
}

/** @throws {Error} on what is no id */
export function idFrom(text: string | undefined): bigint {
  if (text === undefined || !/^\d+$/.test(text)) throw new Error(`not a node: ${text}`);
  return BigInt(text);
}

/** The arguments that are bare words. */
export function wordsOf({ args }: Directive): readonly string[] {
  return args.filter(({ values }) => values === undefined).map(({ key }) => key);
}

/** @throws {Error} on an option that is not among these, and on one of these without a value */
export function checkOptions({ args }: Directive, allowed: readonly string[]): void {
  for (const { key, values } of args) {
    if (values !== undefined && !allowed.includes(key)) throw new Error(`unknown option ${key}`);
    if (values === undefined && allowed.includes(key)) throw new Error(`${key} needs a value`);
  }
}
