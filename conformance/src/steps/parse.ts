import type { ClientVersion } from '../support/programs.ts';
import { type LaterWork, laterWorks } from '../support/report.ts';

// The step format (conformance/steps/*.txt), one line a thing:
//
//   # comment
//   %clients 3.7                 which client versions run this file (default: 3.4 3.7)
//   %server --max-txn-ops=4      extra flags for both servers
//   %later cluster               waits for that later work (laterWorks in report.ts) and runs only with --later: the whole file,
//                                or, behind a title, that group
//   == title                     starts a group; it names the steps below it
//   %fresh [flags]               new servers with empty data directories from here on
//   %cluster 3 [flags]           the same with three members each: before the first title for the file, else from here on
//   $ etcdctl get foo            runs to the end; the reference server must let it exit 0
//   ! etcdctl get ""             the same, but the reference must make it fail
//   & w etcdctl watch foo        starts it in the background under the name w
//   > w progress                 writes a line to the standard input of w
//   wait w 9                     waits until w has printed 9 lines in all
//   finish w                     waits until w ends by itself and compares all it printed
//   end w [INT]                  ends w by signal (default TERM) and compares all it printed
//   stop 2, kill 2, start 2      ends a member by TERM or KILL; starts it again and waits until it serves
//   join 4                       starts a member in a place of its own that `member add` told the cluster of
//   lead 2                       makes a member the leader
//   until 2 healthy              waits until a member answers linearizable reads; or `leaderless`, or its process `ended`
//
// Lines indented by two blanks belong to the step above:
//
//     | text                     a line of standard input
//     capture NAME regex         remembers group 1 of the output as ${NAME}; it is masked from then on
//     mask regex => text         masks more of this step's output
//     only 3.7                   runs only with this client version
//     retry                      runs it again while it does not end as `$` or `!` says, up to half a minute
//     sort                       compares the lines (and the elements of a JSON array) of the output in any order
//
// Words are split at blanks; '…' is literal, "…" knows \n \t \x41 \" \\. ${NAME} is replaced; so are ${repeat:x:100},
// ${dir} (a scratch directory for each server), ${endpoint}, ${member} and ${cluster} (hex ids). In a cluster ${endpoint} is that of the
// first member and ${endpoints} those of all; ${endpoint1}, ${member1}, ${name1}, ${peer1} (a URL) and so on are those of each, and
// behind them of places where a member may join. Ids of the first members ascend. `-w {json,fields}` makes one step each.

interface Capture {
  readonly name: string;
  readonly pattern: RegExp;
}

export interface Mask {
  readonly pattern: RegExp;
  readonly replacement: string;
}

interface StepCommon {
  readonly line: number;
  readonly group: string;
  readonly text: string;
  readonly only: ClientVersion | undefined;
  readonly later: LaterWork | undefined;
  readonly masks: readonly Mask[];
}

export interface RunStep extends StepCommon {
  readonly kind: 'run';
  readonly words: readonly string[];
  readonly mustFail: boolean;
  readonly retry: boolean;
  readonly sort: boolean;
  readonly stdin: string;
  readonly captures: readonly Capture[];
}

export interface StartStep extends StepCommon {
  readonly kind: 'start';
  readonly name: string;
  readonly words: readonly string[];
}

export interface InputStep extends StepCommon {
  readonly kind: 'input';
  readonly name: string;
  readonly input: string;
}

export interface WaitStep extends StepCommon {
  readonly kind: 'wait';
  readonly name: string;
  readonly lines: number;
}

export interface EndStep extends StepCommon {
  readonly kind: 'end';
  readonly name: string;
  /** undefined: it must end by itself. */
  readonly signal: NodeJS.Signals | undefined;
}

/** What a file, or the steps behind a %fresh or %cluster, play against. */
export interface Setup {
  readonly members: number;
  readonly serverArgs: readonly string[];
}

interface FreshStep extends StepCommon {
  readonly kind: 'fresh';
  readonly setup: Setup;
}

const memberActions = ['stop', 'kill', 'start', 'join', 'lead', 'healthy', 'leaderless', 'ended'] as const;
export type MemberAction = (typeof memberActions)[number];

export interface MemberStep extends StepCommon {
  readonly kind: 'member';
  readonly action: MemberAction;
  /** Counted from 1. */
  readonly member: number;
}

export type Step = RunStep | StartStep | InputStep | WaitStep | EndStep | FreshStep | MemberStep;

export interface StepFile {
  readonly name: string;
  readonly clients: readonly ClientVersion[];
  readonly setup: Setup;
  readonly steps: readonly Step[];
}

/** What the indented lines under a step say. */
interface Details {
  stdin: string;
  captures: Capture[];
  masks: Mask[];
  only: ClientVersion | undefined;
  retry: boolean;
  sort: boolean;
}

class StepSyntaxError extends Error {
  constructor(file: string, line: number, reason: string) {
    super(`${file}:${line}: ${reason}`);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0' };

/** Splits a command line into words. Substitutions (`${…}`) stay as they are. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < line.length) {
    const char = line.charAt(at);
    if (char === "'") {
      const end = line.indexOf("'", at + 1);
      if (end < 0) throw new Error('unclosed single quote');
      word = (word ?? '') + line.slice(at + 1, end);
      at = end + 1;
    } else if (char === '"') {
      const [text, next] = readQuoted(line, at + 1);
      word = (word ?? '') + text;
      at = next;
    } else if (char === ' ') {
      if (word !== undefined) words.push(word);
      word = undefined;
      at++;
    } else {
      word = (word ?? '') + char;
      at++;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

function readQuoted(line: string, from: number): [text: string, next: number] {
  let text = '';
  for (let at = from; at < line.length; at++) {
    const char = line.charAt(at);
    if (char === '"') return [text, at + 1];
    if (char !== '\\') {
      text += char;
      continue;
    }
    at++;
    const escaped = line.charAt(at);
    if (escaped === 'x') {
      text += String.fromCharCode(Number.parseInt(line.slice(at + 1, at + 3), 16));
      at += 2;
    } else {
      text += ESCAPES[escaped] ?? escaped;
    }
  }
  throw new Error('unclosed double quote');
}

function clientVersion(text: string): ClientVersion {
  if (text !== '3.4' && text !== '3.7') throw new Error(`unknown client version ${text}`);
  return text;
}

function laterWork(text: string): LaterWork {
  const found = laterWorks.find((work) => work === text);
  if (found === undefined) throw new Error(`%later needs one of: ${laterWorks.join('; ')}`);
  return found;
}

function memberAction(text: string): MemberAction | undefined {
  return memberActions.find((action) => action === text);
}

function memberNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`"${text}" is no number of a member`);
  return number;
}

function readDetail(details: Details, text: string): void {
  if (text === '|' || text.startsWith('| ')) {
    details.stdin += `${text.slice(2)}\n`;
    return;
  }
  const [verb = '', ...rest] = text.split(' ');
  const argument = rest.join(' ');
  switch (verb) {
    case 'capture': {
      const [name = '', ...pattern] = rest;
      details.captures.push({ name, pattern: new RegExp(pattern.join(' '), 'm') });
      return;
    }
    case 'mask': {
      const [pattern = '', replacement] = argument.split(' => ');
      if (replacement === undefined) throw new Error('mask needs "regex => text"');
      details.masks.push({ pattern: new RegExp(pattern, 'gm'), replacement });
      return;
    }
    case 'only':
      details.only = clientVersion(argument);
      return;
    case 'retry':
      details.retry = true;
      return;
    case 'sort':
      details.sort = true;
      return;
    default:
      throw new Error(`unknown detail "${verb}"`);
  }
}

/** `-w {json,fields}` becomes one command line for each format. */
function expandFormats(line: string): string[] {
  const found = /-w \{([a-z,]+)\}/.exec(line);
  if (found === null) return [line];
  return (found[1] ?? '').split(',').map((format) => line.replace(found[0], `-w ${format}`));
}

class Parser {
  private readonly steps: Step[] = [];
  private clients: ClientVersion[] = ['3.4', '3.7'];
  private setup: Setup = { members: 1, serverArgs: [] };
  private fileLater: LaterWork | undefined;
  private groupLater: LaterWork | undefined;
  private group = '';
  private details: Details | undefined;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  parse(source: string): StepFile {
    const lines = source.split('\n');
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index] ?? '';
      if (line.trim() === '' || line.startsWith('#') || line.startsWith('  ')) continue;
      this.details = { stdin: '', captures: [], masks: [], only: undefined, retry: false, sort: false };
      const head = index + 1;
      try {
        // The details come first: a step is built complete.
        while ((lines[index + 1] ?? '').startsWith('  ')) readDetail(this.details, (lines[++index] ?? '').slice(2));
        this.readLine(line, head, this.details);
      } catch (error) {
        throw new StepSyntaxError(this.name, head, error instanceof Error ? error.message : String(error));
      }
    }
    return {
      name: this.name,
      clients: this.clients,
      setup: this.setup,
      steps: this.steps,
    };
  }

  private readLine(line: string, number: number, details: Details): void {
    const common = { ...this.common(number, details), text: line };
    const words = splitWords(line.startsWith('==') ? '' : line);
    const [verb = '', first = '', ...rest] = words;
    if (line.startsWith('== ')) {
      this.group = line.slice(3).trim();
      this.groupLater = undefined;
    } else if (verb === '%clients') {
      this.clients = words.slice(1).map(clientVersion);
    } else if (verb === '%server') {
      this.setup = { ...this.setup, serverArgs: words.slice(1) };
    } else if (verb === '%later') {
      const work = laterWork(words.slice(1).join(' '));
      if (this.group === '') this.fileLater = work;
      else this.groupLater = work;
    } else if (verb === '%fresh') {
      this.steps.push({ ...common, kind: 'fresh', setup: { members: 1, serverArgs: words.slice(1) } });
    } else if (verb === '%cluster') {
      const setup = { members: memberNumber(first), serverArgs: rest };
      if (this.group === '') this.setup = setup;
      else this.steps.push({ ...common, kind: 'fresh', setup });
    } else if (verb === '$' || verb === '!') {
      this.addRuns(line, number, details, verb === '!');
    } else if (verb === '&') {
      this.steps.push({ ...common, kind: 'start', name: first, words: rest });
    } else if (verb === '>') {
      const input = line.slice(line.indexOf(first) + first.length).replace(/^ /, '');
      this.steps.push({ ...common, kind: 'input', name: first, input });
    } else if (verb === 'wait') {
      const lines = Number(rest[0]);
      if (!(lines > 0)) throw new Error('wait needs a name and a number of lines');
      this.steps.push({ ...common, kind: 'wait', name: first, lines });
    } else if (verb === 'finish') {
      this.steps.push({ ...common, kind: 'end', name: first, signal: undefined });
    } else if (verb === 'end') {
      this.steps.push({ ...common, kind: 'end', name: first, signal: rest[0] === 'INT' ? 'SIGINT' : 'SIGTERM' });
    } else {
      // `until 2 healthy` names its action last.
      const action = memberAction(verb === 'until' ? (rest[0] ?? '') : verb);
      if (action === undefined) throw new Error(`cannot read "${line}"`);
      this.steps.push({ ...common, kind: 'member', action, member: memberNumber(first) });
    }
  }

  private common(line: number, { only, masks }: Details): Omit<StepCommon, 'text'> {
    return { line, group: this.group, only, later: this.groupLater ?? this.fileLater, masks };
  }

  private addRuns(line: string, number: number, details: Details, mustFail: boolean): void {
    for (const text of expandFormats(line)) {
      this.steps.push({
        ...this.common(number, details),
        kind: 'run',
        text,
        words: splitWords(text).slice(1),
        mustFail,
        retry: details.retry,
        sort: details.sort,
        stdin: details.stdin,
        captures: details.captures,
      });
    }
  }
}

export function parseSteps(name: string, source: string): StepFile {
  return new Parser(name).parse(source);
}
