import { type Flag, fileOnlySettings, flags } from './flag-table.ts';
import { isIntegerOf } from './go-numbers.ts';
import { emptySettings, type RawSettings, UsageError } from './parse.ts';
import { checkValue } from './values.ts';

/** What a configuration file may hold. */
type FileValue = string | number | boolean | null | readonly FileValue[] | FileMap;
type FileMap = { readonly [key: string]: FileValue };

/** Groups of keys, with the names that etcd's messages give them. */
const groups: ReadonlyMap<string, { readonly type: string; readonly within: string }> = new Map([
  ['client-transport-security', { type: 'embed.securityConfig', within: 'securityConfig.configJSON' }],
  ['peer-transport-security', { type: 'embed.securityConfig', within: 'securityConfig.configJSON' }],
  ['socket-options', { type: 'transport.SocketOpts', within: 'SocketOpts.Config' }],
  ['discovery-config', { type: 'v3discovery.DiscoveryConfig', within: 'DiscoveryConfig.Config' }],
  ['discovery-config.client', { type: 'clientv3.ConfigSpec', within: 'ConfigSpec.Config' }],
  ['discovery-config.client.secure', { type: 'clientv3.SecureConfig', within: 'SecureConfig.Config' }],
  ['discovery-config.client.auth', { type: 'clientv3.AuthConfig', within: 'AuthConfig.Config' }],
]);

const wideIntegers: Readonly<Record<string, string>> = {
  'quota-backend-bytes': 'int64',
  'snapshot-count': 'uint64',
  'snapshot-catchup-entries': 'uint64',
};

/** Lists that the file has as one text. */
const textLists: ReadonlySet<string> = new Set(['host-whitelist', 'feature-gates']);

/**
 * Turns a parsed YAML or JSON file into settings. Unknown keys are ignored, capitals in keys do not count.
 * @throws UsageError on a wrong type or value
 */
export function settingsFromFile(tree: unknown): RawSettings {
  const settings = emptySettings();
  if (tree === null || tree === undefined) return settings;
  if (!isMap(tree as FileValue)) {
    refuseType(`value of type embed.configYAML`, jsonType(tree as FileValue));
  }
  for (const [path, group] of groups) {
    const found = leaf(tree as FileMap, path);
    if (found !== undefined && found !== null && !isMap(found)) refuseType(fieldOf(path, group.type), jsonType(found));
  }
  const known = [...flags, ...fileOnlySettings].filter((flag) => flag.fileKey !== '');
  const found = known.map((flag) => ({ flag, value: leaf(tree as FileMap, flag.fileKey) }));
  // Types are looked at first, of the whole file.
  const given = found.flatMap(({ flag, value }) =>
    value === undefined || value === null ? [] : [{ flag, text: textOf(flag, value) }],
  );
  for (const { flag, text } of given) {
    const checked = checkFileValue(flag, text);
    if (checked === undefined) continue;
    settings.values.set(flag.name, checked);
    settings.sources.set(flag.name, 'file');
  }
  return settings;
}

function isMap(value: FileValue): value is FileMap {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function leaf(tree: FileMap, dottedKey: string): FileValue | undefined {
  let node: FileValue | undefined = tree;
  for (const part of dottedKey.split('.')) {
    if (node === undefined || !isMap(node)) return undefined;
    const key: string | undefined = Object.keys(node).find((candidate) => candidate.toLowerCase() === part);
    node = key === undefined ? undefined : node[key];
  }
  return node;
}

/** Text of a value of the right type, in the flag's own syntax. */
function textOf(flag: Flag, value: FileValue): string {
  const type = fileType(flag);
  const wrong = (shown = jsonType(value)) => refuseType(fieldOf(flag.fileKey, type), shown);
  switch (type) {
    case 'bool':
      return typeof value === 'boolean' ? String(value) : wrong();
    case 'string':
      return typeof value === 'string' ? value : wrong();
    case '[]string':
      // An entry without text is one, too.
      return Array.isArray(value) ? value.map((entry) => listEntry(flag, entry) || ' ').join(',') : wrong();
    default: {
      if (typeof value !== 'number') return wrong();
      const kind = flag.kind === 'uint' || flag.kind === 'uint32' ? flag.kind : 'int';
      if (!isIntegerOf(value, kind)) wrong(`number ${value}`);
      return flag.kind === 'duration' ? `${value}ns` : BigInt(value).toString();
    }
  }
}

function listEntry(flag: Flag, entry: FileValue): string {
  return typeof entry === 'string' ? entry : refuseType(fieldOf(flag.fileKey, 'string'), jsonType(entry));
}

function fileType(flag: Flag): string {
  switch (flag.kind) {
    case 'bool':
      return 'bool';
    case 'duration':
      return 'time.Duration';
    case 'int':
    case 'uint':
    case 'uint32':
      return wideIntegers[flag.name] ?? flag.kind;
    case 'list':
      return textLists.has(flag.name) ? 'string' : '[]string';
    default:
      return 'string';
  }
}

/** A field and its type as etcd's decoder names them. */
function fieldOf(fileKey: string, type: string): string {
  const group = groups.get(fileKey.slice(0, Math.max(0, fileKey.lastIndexOf('.'))));
  const isRead = /(?:-urls|^cors|^host-whitelist|^feature-gates|-security)$/.test(fileKey);
  const within = group?.within ?? (isRead ? 'configYAML.configJSON' : 'configYAML.Config');
  return `struct field ${within}.${fileKey} of type ${type}`;
}

function jsonType(value: FileValue): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value;
}

function refuseType(field: string, shown: string): never {
  const problem = `json: cannot unmarshal ${shown} into Go ${field}`;
  throw new UsageError(`error unmarshaling JSON: while decoding JSON: ${problem}`, 1, 'verify');
}

/** The value in canonical form; undefined where an empty one leaves the default. @throws UsageError */
function checkFileValue(flag: Flag, text: string): string | undefined {
  if (text === '' && (['urls', 'origins', 'list'].includes(flag.kind) || flag.name === 'initial-cluster-state')) {
    return undefined;
  }
  const checked = checkValue(flag, text);
  if (!('reason' in checked)) return checked.value;
  const { name, fileKey } = flag;
  if (flag.kind === 'urls') {
    // The text is etcd's own, and wrong there, too.
    const said = name === 'advertise-client-urls' ? 'advertise-peer-urls' : fileKey;
    throw new UsageError(`unexpected error setting up ${said}: ${checked.reason}`, 1, 'plain');
  }
  if (name === 'cors') throw new UsageError(`panic: new UniqueURLs should never fail: ${checked.reason}`, 2, 'plain');
  // Looked at with the whole, or not at all.
  if (flag.kind === 'enum') return text;
  throw new UsageError(checked.reason, 1, 'verify');
}
