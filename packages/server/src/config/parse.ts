import { CodedError } from '@quorate/base';
import { type Flag, flags } from './flag-table.ts';
import { checkValue } from './values.ts';

/** Values by flag name, in the flags' own syntax, and where each came from. */
export interface RawSettings {
  readonly values: Map<string, string>;
  readonly sources: Map<string, 'flag' | 'environment' | 'file'>;
  /** Log lines on where the settings came from, for before the logger they describe exists. */
  readonly notes: SettingNote[];
  /** What is to be said about the settings themselves, through the logger they describe. */
  readonly warnings: SettingNote[];
}

export interface SettingNote {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export function emptySettings(): RawSettings {
  return { values: new Map(), sources: new Map(), notes: [], warnings: [] };
}

/**
 * How a refused configuration is told: with the usage text behind it (`usage`; `help` is that alone), as `failed to verify flags`
 * (`verify`), as a fatal log line (`fatal`), or as it is on stderr (`plain`).
 */
export type Telling = 'usage' | 'help' | 'verify' | 'fatal' | 'plain';

export interface UsageErrorData {
  readonly exitCode: number;
  readonly telling: Telling;
  /** Of the log line. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Settings that cannot be used. */
export class UsageError extends CodedError<'config/usage', UsageErrorData> {
  constructor(message: string, exitCode: number, telling: Telling, fields: Readonly<Record<string, unknown>> = {}) {
    super('config/usage', message, { data: { exitCode, telling, fields } });
  }
}

const byName = new Map(flags.map((flag) => [flag.name, flag]));

/** The flag of this name that the command line takes. */
function flagNamed(name: string): Flag {
  const flag = byName.get(name);
  if (flag && flag.kind !== 'removed') return flag;
  if (name === 'h' || name === 'help') throw new UsageError('', 0, 'help');
  throw new UsageError(`flag provided but not defined: -${name}`, 2, 'usage');
}

function takeFlag(settings: RawSettings, args: readonly string[], position: number): number {
  const argument = args[position] as string;
  const match = /^--?([^=]*)(?:=(.*))?$/s.exec(argument);
  const name = match?.[1] ?? '';
  if (name === '' || name.startsWith('-')) throw new UsageError(`bad flag syntax: ${argument}`, 2, 'usage');
  const flag = flagNamed(name);
  let value = match?.[2];
  let taken = 1;
  if (value === undefined) {
    if (flag.kind === 'bool' || flag.kind === 'ignored') value = 'true';
    else if (position + 1 < args.length) {
      value = args[position + 1] as string;
      taken = 2;
    } else throw new UsageError(`flag needs an argument: -${name}`, 2, 'usage');
  }
  const checked = checkValue(flag, value);
  if ('reason' in checked) {
    const what = flag.kind === 'bool' ? 'invalid boolean value' : 'invalid value';
    const of = flag.kind === 'bool' ? `-${name}` : `flag -${name}`;
    throw new UsageError(`${what} ${JSON.stringify(value)} for ${of}: ${checked.reason}`, 2, 'usage');
  }
  settings.values.set(name, checked.value);
  settings.sources.set(name, 'flag');
  return taken;
}

/** Reads Go-style flags: `-flag` as `--flag`, `--flag=v` or `--flag v`, booleans need `=`. @throws UsageError */
export function parseArguments(args: readonly string[]): RawSettings {
  const settings = emptySettings();
  let position = 0;
  while (position < args.length) {
    const argument = args[position] as string;
    if (argument === '--') {
      position++;
      break;
    }
    if (!argument.startsWith('-') || argument === '-') break;
    position += takeFlag(settings, args, position);
  }
  const extra = args[position];
  if (extra !== undefined) throw new UsageError(`${JSON.stringify(extra)} is not a valid flag`, 1, 'verify');
  return settings;
}
