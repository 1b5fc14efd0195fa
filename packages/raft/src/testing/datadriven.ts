import { parseDirective, type ScenarioArgument } from './directive.ts';

/** One case of a scenario file. */
export interface ScenarioCase {
  /** Line of the directive, from 1. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly ScenarioArgument[];
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

export interface ScenarioRun {
  readonly cases: number;
  readonly failures: readonly CaseFailure[];
}

/** Answers the cases of one file, in order. What it throws is the answer too. */
export type ScenarioHandler = (scenario: ScenarioCase) => string;

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
 * Lines may end in CRLF. `subtest` lines, which group cases for some readers, count as comments.
 * @throws {Error} naming the line that is malformed.
 */
export function parseScenario(text: string): { cases: ScenarioCase[]; trailing: string } {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  const cases: ScenarioCase[] = [];
  let leading = '';
  for (let i = 0; i < lines.length; ) {
    const first = lines[i] as string;
    if (/^\s*(?:#|$|subtest(?:\s|$))/.test(first)) {
      leading += `${first}\n`;
      i++;
      continue;
    }
    const line = i + 1;
    const { joined, next } = joinContinued(lines, i);
    const separator = lines.indexOf('----', next);
    if (separator < 0) throw new Error(`line ${line}: no ---- behind the directive`);
    const input = lines.slice(next, separator).join('\n').trim();
    const directive = `${lines.slice(i, separator).join('\n')}\n`;
    const output = readOutput(lines, separator + 1, line);
    i = output.next;
    cases.push({ line, ...parseDirective(joined, line), input, expected: output.expected, leading, directive });
    leading = '';
  }
  return { cases, trailing: leading };
}

/** The directive that begins at a line, with the lines it goes on in. */
function joinContinued(lines: readonly string[], start: number): { joined: string; next: number } {
  let joined = (lines[start] as string).trim();
  let next = start + 1;
  while (joined.endsWith('\\') && next < lines.length) {
    joined = `${joined.slice(0, -1)} ${(lines[next++] as string).trim()}`;
  }
  return { joined, next };
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

/** Runs all cases in order; each answer is compared as it is, but for a missing newline at its end. */
export function runScenario(text: string, handle: ScenarioHandler): ScenarioRun {
  const { cases } = parseScenario(text);
  const failures: CaseFailure[] = [];
  for (const scenario of cases) {
    const actual = answer(scenario, handle);
    if (actual === scenario.expected) continue;
    const { line, directive, expected } = scenario;
    failures.push({ line, directive: directive.trimEnd(), expected, actual });
  }
  return { cases: cases.length, failures };
}

/** The file with the answers there are now in place of the expected ones. */
export function rewriteScenario(text: string, handle: ScenarioHandler): string {
  const { cases, trailing } = parseScenario(text);
  let rewritten = '';
  for (const scenario of cases) {
    const actual = answer(scenario, handle);
    // A blank line must stand between cases, since that is what ends an output.
    if (rewritten !== '' && !/^[^\S\n]*\n/.test(scenario.leading)) rewritten += '\n';
    rewritten += `${scenario.leading}${scenario.directive}----\n`;
    rewritten += /^\s*\n/m.test(actual) ? `----\n${actual}----\n----\n` : actual;
  }
  return rewritten + trailing;
}

function answer(scenario: ScenarioCase, handle: ScenarioHandler): string {
  let text: string;
  try {
    text = handle(scenario);
  } catch (error) {
    text = `error: ${error instanceof Error ? error.message : String(error)}`;
  }
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
