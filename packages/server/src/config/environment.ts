import { type Flag, flags } from './flag-table.ts';
import { type RawSettings, UsageError } from './parse.ts';
import { checkValue } from './values.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const conflict =
  'conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))';

export const environmentName = (flag: Flag): string => `ETCD_${flag.name.toUpperCase().replaceAll('-', '_')}`;

/** In the order of the flags' names, as etcd reads them. */
const readable = flags
  .filter((flag) => flag.kind !== 'removed' && flag.name !== 'version')
  .sort((a, b) => (a.name < b.name ? -1 : 1));

/**
 * Adds what the environment says; what was found, used or not, is in the notes even when it is refused.
 * @throws UsageError when flag and variable are both there or a value is bad
 */
export function addEnvironment(settings: RawSettings, environment: Environment): void {
  const version = environment.ETCD_VERSION;
  const isVersionDropped = version !== undefined && version !== '';
  if (isVersionDropped) {
    const fields = { key: 'ETCD_VERSION', value: version };
    settings.notes.push({ level: 'warn', message: 'cannot set special environment variable', fields });
  }
  const { used, refused } = takeVariables(settings, environment);
  if (isVersionDropped) used.add('ETCD_VERSION');
  judgeOthers(settings, environment, used);
  if (refused !== undefined) throw new UsageError(refused, 1, 'verify');
}

/** The names used, and the last problem: etcd goes on after the first. */
function takeVariables(settings: RawSettings, environment: Environment): { used: Set<string>; refused?: string } {
  const used = new Set<string>();
  let refused: string | undefined;
  for (const flag of readable) {
    const variable = environmentName(flag);
    const value = environment[variable];
    if (value === undefined || value === '' || settings.sources.get(flag.name) === 'flag') continue;
    used.add(variable);
    const checked = checkValue(flag, value);
    if ('reason' in checked) {
      refused = `invalid value ${JSON.stringify(value)} for ${variable}: ${checked.reason}`;
      continue;
    }
    settings.values.set(flag.name, checked.value);
    settings.sources.set(flag.name, 'environment');
    settings.notes.push({
      level: 'info',
      message: 'recognized and used environment variable',
      fields: { 'variable-name': variable, 'variable-value': value },
    });
  }
  return { used, ...(refused === undefined ? {} : { refused }) };
}

/** Variables that were not used: those that a flag shadows are fatal, an empty one too; the others are only named. */
function judgeOthers(settings: RawSettings, environment: Environment, used: ReadonlySet<string>): void {
  const shadowed = new Set(
    readable.filter((flag) => settings.sources.get(flag.name) === 'flag').map((flag) => environmentName(flag)),
  );
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('ETCD_') || used.has(name)) continue;
    if (shadowed.has(name)) throw new UsageError(conflict, 1, 'fatal', { 'environment-variable': name });
    settings.notes.push({
      level: 'warn',
      message: 'unrecognized environment variable',
      fields: { 'environment-variable': `${name}=${value}` },
    });
  }
}
