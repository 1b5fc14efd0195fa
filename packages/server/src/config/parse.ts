import { CodedError } from '@quorate/base';
import { parseDurationMs } from './duration.ts';
import { type Flag, fileOnlySettings, flags } from './flag-table.ts';
import { parseMemberUrls } from './urls.ts';

/** Values by flag name, in the flags' own syntax, and where each came from. */
export interface RawSettings {
  readonly values: Map<string, string>;
  readonly sources: Map<string, 'flag' | 'environment' | 'file'>;
  /** Log lines to say once the logger exists. */
  readonly notes: SettingNote[];
}

export interface SettingNote {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A command line that cannot be used. `data.exitCode` is what the process ends with, `data.usage` whether usage is printed. */
export class UsageError extends CodedError<'config/usage', { exitCode: number; usage: boolean }> {
  constructor(message: string, exitCode: number, usage: boolean) {
    super('config/usage', message, { data: { exitCode, usage } });
  }
}

const byName = new Map(flags.map((flag) => [flag.name, flag]));
const booleans: Readonly<Record<string, string>> = {
  '1': 'true',
  t: 'true',
  T: 'true',
  true: 'true',
  TRUE: 'true',
  True: 'true',
  '0': 'false',
  f: 'false',
  F: 'false',
  false: 'false',
  FALSE: 'false',
  False: 'false',
};

export const environmentName = (flag: Flag): string => `ETCD_${flag.name.toUpperCase().replaceAll('-', '_')}`;

/**
 * Checks a value against its flag's kind.
 * @returns the value in canonical form, or why it is refused.
 */
export function checkValue(flag: Flag, value: string): { value: string } | { reason: string } {
  switch (flag.kind) {
    case 'bool': {
      const canonical = booleans[value];
      return canonical === undefined ? { reason: 'parse error' } : { value: canonical };
    }
    case 'int':
    case 'uint': {
      const pattern = flag.kind === 'int' ? /^[+-]?\d+$/ : /^\d+$/;
      if (!pattern.test(value)) return { reason: 'parse error' };
      return Number.isSafeInteger(Number(value)) ? { value: String(Number(value)) } : { reason: 'value out of range' };
    }
    case 'duration':
      return parseDurationMs(value) === undefined ? { reason: 'parse error' } : { value };
    case 'enum': {
      if (flag.values?.includes(value)) return { value };
      // Levels, modes and the logger are checked with messages of their own once the configuration is complete.
      const lateChecked = [
        'log-level',
        'auto-compaction-mode',
        'logger',
        'log-format',
        'metrics',
        'tls-min-version',
        'tls-max-version',
      ];
      return lateChecked.includes(flag.name) ? { value } : { reason: 'invalid value' };
    }
    case 'urls':
    case 'origins':
      if (flag.kind === 'origins' && value === '*') return { value };
      try {
        parseMemberUrls(value);
        return { value };
      } catch (error) {
        return { reason: (error as Error).message };
      }
    default:
      return { value };
  }
}

function takeFlag(settings: RawSettings, args: readonly string[], position: number): number {
  const argument = args[position] as string;
  const match = /^--?([^=]+)(?:=(.*))?$/s.exec(argument);
  const name = match?.[1] ?? '';
  if (argument === '-' || name.startsWith('-')) throw new UsageError(`bad flag syntax: ${argument}`, 2, true);
  const flag = byName.get(name);
  if (!flag || flag.kind === 'removed') throw new UsageError(`flag provided but not defined: -${name}`, 2, true);
  let value = match?.[2];
  let taken = 1;
  if (value === undefined) {
    if (flag.kind === 'bool' || flag.kind === 'ignored') value = 'true';
    else if (position + 1 < args.length) {
      value = args[position + 1] as string;
      taken = 2;
    } else throw new UsageError(`flag needs an argument: -${name}`, 2, true);
  }
  const checked = checkValue(flag, value);
  if ('reason' in checked) {
    const kind = flag.kind === 'bool' ? 'boolean value' : 'value';
    throw new UsageError(`invalid ${kind} "${value}" for flag -${name}: ${checked.reason}`, 2, true);
  }
  settings.values.set(name, checked.value);
  settings.sources.set(name, 'flag');
  return taken;
}

/** Reads Go-style flags: `-flag` as `--flag`, `--flag=v` or `--flag v`, booleans need `=`. @throws UsageError */
export function parseArguments(args: readonly string[]): RawSettings {
  const settings: RawSettings = { values: new Map(), sources: new Map(), notes: [] };
  let position = 0;
  while (position < args.length) {
    const argument = args[position] as string;
    if (argument === '--') {
      position++;
      break;
    }
    if (!argument.startsWith('-')) break;
    position += takeFlag(settings, args, position);
  }
  const extra = args[position];
  if (extra !== undefined) throw new UsageError(`"${extra}" is not a valid flag`, 1, false);
  return settings;
}

/** Adds what the environment says. @throws UsageError when flag and variable are both there or the value is bad */
export function addEnvironment(settings: RawSettings, environment: Readonly<Record<string, string | undefined>>): void {
  const known = new Set<string>(['ETCD_VERIFY', 'ETCD_UNSUPPORTED_ARCH']);
  for (const flag of flags) {
    const variable = environmentName(flag);
    known.add(variable);
    const value = environment[variable];
    if (value === undefined || flag.kind === 'removed') continue;
    if (flag.name === 'version') {
      settings.notes.push({
        level: 'warn',
        message: 'cannot set special environment variable',
        fields: { key: variable, value },
      });
      continue;
    }
    if (settings.sources.get(flag.name) === 'flag') {
      throw new UsageError(
        `conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag)): ${variable}`,
        1,
        false,
      );
    }
    if (value === '') continue;
    const checked = checkValue(flag, value);
    if ('reason' in checked)
      throw new UsageError(`invalid value "${value}" for ${variable}: ${checked.reason}`, 1, false);
    settings.values.set(flag.name, checked.value);
    settings.sources.set(flag.name, 'environment');
    settings.notes.push({
      level: 'info',
      message: 'recognized and used environment variable',
      fields: { 'variable-name': variable, 'variable-value': value },
    });
  }
  for (const name of Object.keys(environment)) {
    if (name.startsWith('ETCD_') && !known.has(name)) {
      settings.notes.push({
        level: 'warn',
        message: 'unrecognized environment variable',
        fields: { 'environment-variable': `${name}=${environment[name]}` },
      });
    }
  }
}

/** What a configuration file may hold at a leaf. */
type FileValue = string | number | boolean | null | readonly FileValue[] | { readonly [key: string]: FileValue };

function leaf(tree: FileValue, dottedKey: string): FileValue | undefined {
  let node: FileValue | undefined = tree;
  for (const part of dottedKey.split('.')) {
    if (node === null || typeof node !== 'object' || Array.isArray(node)) return undefined;
    node = (node as { readonly [key: string]: FileValue })[part];
  }
  return node;
}

/** Turns a parsed YAML or JSON file into settings; unknown keys are ignored as etcd does. @throws UsageError on a wrong type */
export function settingsFromFile(tree: unknown): RawSettings {
  const settings: RawSettings = { values: new Map(), sources: new Map(), notes: [] };
  if (tree === null || tree === undefined) return settings;
  for (const flag of [...flags, ...fileOnlySettings]) {
    if (flag.fileKey === '' || flag.kind === 'ignored' || flag.kind === 'removed') continue;
    const found = leaf(tree as FileValue, flag.fileKey);
    if (found === undefined || found === null || found === '') continue;
    settings.values.set(flag.name, textOfFileValue(flag, found));
    settings.sources.set(flag.name, 'file');
  }
  return settings;
}

function textOfFileValue(flag: Flag, found: FileValue): string {
  const wrongType = () =>
    new UsageError(
      `error unmarshaling JSON: ${flag.fileKey} cannot be ${JSON.stringify(found)}, a ${flag.kind} is wanted`,
      1,
      false,
    );
  if (flag.kind === 'duration') {
    if (typeof found !== 'number') throw wrongType();
    return `${found}ns`;
  }
  if (flag.kind === 'list') {
    if (typeof found === 'string') return found;
    if (!Array.isArray(found)) throw wrongType();
    return found.join(',');
  }
  if (flag.kind === 'bool' ? typeof found !== 'boolean' : typeof found === 'object') throw wrongType();
  const checked = checkValue(flag, String(found));
  if ('reason' in checked) {
    if (flag.name === 'initial-cluster-state') throw new UsageError(`unexpected clusterState "${found}"`, 1, false);
    throw new UsageError(`unexpected error setting up ${flag.fileKey}: ${checked.reason}`, 1, false);
  }
  return checked.value;
}
