/** One argument of a directive: `key`, `key=value` or `key=(v1,v2)`. */
export interface DirectiveArgument {
  readonly key: string;
  readonly values: readonly string[];
}

/** One case of a scenario file. */
export interface ScenarioCase {
  /** Line of the directive, from 1. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly DirectiveArgument[];
  readonly input: string;
  /** Ends with a newline unless it is empty. */
  readonly expected: string;
  /** All lines before the directive (comments, blank lines) and the directive and input as they stand in the file. */
  readonly leading: string;
  readonly directive: string;
}

export interface CaseFailure {
  readonly line: number;
  readonly directive: string;
  readonly expected: string;
  readonly actual: string;
}

/**
 * Reads a scenario file:
 *
 *     # comments
 *     command word key=value key=(v1,v2)
 *     optional input
 *     ----
 *     expected output
 *     <blank line>
 *
 * Output with blank lines stands between two `----` lines and two `----` lines. A directive line that ends in `\` goes on.
 * @throws {Error} naming the line that is malformed.
 */
export function parseScenario(text: string): { cases: ScenarioCase[]; trailing: string } {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const cases: ScenarioCase[] = [];
  let leading = '';
  for (let i = 0; i < lines.length; ) {
    const first = lines[i] as string;
    if (first.trim() === '' || first.startsWith('#')) {
      leading += `${first}\n`;
      i++;
      continue;
    }
    const line = i + 1;
    let directive = '';
    let joined = '';
    let more = true;
    while (more && i < lines.length) {
      const part = lines[i++] as string;
      directive += `${part}\n`;
      more = part.endsWith('\\');
      joined += more ? `${part.slice(0, -1)} ` : part;
    }
    const inputLines: string[] = [];
    while (i < lines.length && lines[i] !== '----') inputLines.push(lines[i++] as string);
    if (i === lines.length) throw new Error(`line ${line}: no ---- behind the directive`);
    i++;
    for (const inputLine of inputLines) directive += `${inputLine}\n`;
    const output = readOutput(lines, i, line);
    i = output.next;
    const { command, args } = parseDirective(joined, line);
    cases.push({ line, command, args, input: inputLines.join('\n'), expected: output.expected, leading, directive });
    leading = '';
  }
  return { cases, trailing: leading };
}

function readOutput(lines: readonly string[], start: number, line: number): { expected: string; next: number } {
  let i = start;
  let expected = '';
  if (lines[i] !== '----') {
    while (i < lines.length && (lines[i] as string).trim() !== '') expected += `${lines[i++]}\n`;
    return { expected, next: i };
  }
  for (i++; ; i++) {
    if (i >= lines.length) throw new Error(`line ${line}: output with blank lines is not closed by two ---- lines`);
    if (lines[i] === '----' && lines[i + 1] === '----') return { expected, next: i + 2 };
    expected += `${lines[i]}\n`;
  }
}

function parseDirective(text: string, line: number): { command: string; args: DirectiveArgument[] } {
  const tokens = text.match(/[^\s=(]+(?:=(?:\([^)]*\)|[^\s(]*))?|\S+/g) ?? [];
  const [command, ...rest] = tokens;
  if (command === undefined || !/^[\w-]+$/.test(command)) throw new Error(`line ${line}: no command in: ${text}`);
  const args = rest.map((token) => {
    const at = token.indexOf('=');
    if (at < 0) return { key: token, values: [] };
    const value = token.slice(at + 1);
    if (!value.startsWith('(')) return { key: token.slice(0, at), values: [value] };
    const inner = value.slice(1, -1).trim();
    const values = inner === '' ? [] : inner.split(/[\s,]+/).filter((part) => part !== '');
    return { key: token.slice(0, at), values };
  });
  return { command, args };
}

/** Runs all cases in order; each answer is compared as it is, but for a missing newline at its end. */
export function runScenario(text: string, handle: (scenario: ScenarioCase) => string): CaseFailure[] {
  const failures: CaseFailure[] = [];
  for (const scenario of parseScenario(text).cases) {
    const actual = withNewline(handle(scenario));
    if (actual !== scenario.expected) {
      failures.push({
        line: scenario.line,
        directive: scenario.directive.trimEnd(),
        expected: scenario.expected,
        actual,
      });
    }
  }
  return failures;
}

/** The file with the answers there are now in place of the expected ones. */
export function rewriteScenario(text: string, handle: (scenario: ScenarioCase) => string): string {
  const { cases, trailing } = parseScenario(text);
  let rewritten = '';
  for (const scenario of cases) {
    const actual = withNewline(handle(scenario));
    const hasBlank = /^\s*$/m.test(actual.slice(0, -1)) && actual !== '';
    rewritten += `${scenario.leading}${scenario.directive}----\n`;
    rewritten += hasBlank ? `----\n${actual}----\n----\n` : actual;
  }
  return rewritten + trailing;
}

function withNewline(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

/** Value of a flag or `key=value` argument; undefined when it is not there. */
export function argumentOf(scenario: ScenarioCase, key: string): DirectiveArgument | undefined {
  return scenario.args.find((arg) => arg.key === key);
}

/** Whether `key` or `key=true` is given. @throws {Error} on another value. */
export function flagOf(scenario: ScenarioCase, key: string): boolean {
  const arg = argumentOf(scenario, key);
  if (arg === undefined) return false;
  const [value = 'true'] = arg.values;
  if (value !== 'true' && value !== 'false') throw new Error(`${key} must be true or false, not ${value}`);
  return value === 'true';
}
