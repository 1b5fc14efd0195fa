import { parseArgs } from 'node:util';
import { type ClientVersion, type ServerKind, serverKinds } from './support/programs.ts';

const suiteNames = [
  'etcdctl',
  'grpc',
  'watch',
  'auth',
  'gateway',
  'metrics',
  'etcd3',
  'clients',
  'proxy',
  'flags',
  'start',
  'kill',
  'chaos',
  'partition',
  'mixed',
  'upkeep',
  'tls',
  'tracing',
] as const;
export type SuiteName = (typeof suiteNames)[number];
/** Those that take long, the first time at least, and run when they are named. */
const named: readonly SuiteName[] = ['clients', 'kill'];

export interface Options {
  readonly suites: readonly SuiteName[];
  readonly serverUnderTest: ServerKind;
  readonly reference: ServerKind;
  readonly clients: readonly ClientVersion[];
  /** Only step files or groups whose name contains this text. */
  readonly filter: string;
  readonly later: boolean;
  readonly verbose: boolean;
  readonly keep: boolean;
  readonly seed: number;
  readonly operations: number;
  readonly rounds: number;
  /** Of the suites over clusters; 0 is their quick form. */
  readonly minutes: number;
  readonly openWith: readonly ServerKind[];
  readonly mixWith: readonly ServerKind[];
}

export const usage = `usage: node conformance/dist/main.js [options]
  --suite a,b              ${suiteNames.join(', ')} (default: all but ${named.join(' and ')})
  --server-under-test s    ${serverKinds.join(', ')} (default quorate)
  --reference s            the server compared with in the gRPC suites (default etcd37)
  --client 3.4,3.7         etcdctl versions to run (default both; each has its own server as reference)
  --filter text            only step files and gRPC parts whose name contains text
  --later                  what is marked as waiting for later work too
  --seed n                 seed of the random suites (default 1)
  --operations n           random operations of the gRPC suite (default 6000)
  --rounds n               rounds of the kill suite (default 20)
  --minutes n              length of the chaos and partition suites; 0, the default, is the quick form of all over clusters
  --open-with a,b          servers that must open the data directory after a kill (default etcd34,etcd37)
  --mix-with a,b           servers of the mixed suite beside the one under test (default etcd34,etcd37)
  --verbose                name each step that passed
  --keep                   keep scratch directories
  --help`;

function oneOf<T extends string>(value: string, allowed: readonly T[], option: string): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new Error(`--${option}: "${value}" is none of ${allowed.join(', ')}`);
  return found;
}

function listOf<T extends string>(value: string, allowed: readonly T[], option: string): T[] {
  return value
    .split(',')
    .filter((item) => item !== '')
    .map((item) => oneOf(item, allowed, option));
}

function wholeNumber(value: string, option: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`--${option} needs a whole number`);
  return number;
}

/** With the newest etcd as the reference, the oldest that we serve beside is one, too, in suites that tell its differences by right. */
export function referencesOf({ reference }: Options): readonly ServerKind[] {
  return reference === 'etcd37' ? ['etcd37', 'etcd34'] : [reference];
}

/** Reads the command line; undefined when only help was asked for. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    strict: true,
    options: {
      suite: { type: 'string', default: suiteNames.filter((name) => !named.includes(name)).join(',') },
      'server-under-test': { type: 'string', default: 'quorate' },
      reference: { type: 'string', default: 'etcd37' },
      client: { type: 'string', default: '3.4,3.7' },
      filter: { type: 'string', default: '' },
      later: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      operations: { type: 'string', default: '6000' },
      rounds: { type: 'string', default: '20' },
      minutes: { type: 'string', default: '0' },
      'open-with': { type: 'string', default: 'etcd34,etcd37' },
      'mix-with': { type: 'string', default: 'etcd34,etcd37' },
      verbose: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    suites: listOf(values.suite, suiteNames, 'suite'),
    serverUnderTest: oneOf(values['server-under-test'], serverKinds, 'server-under-test'),
    reference: oneOf(values.reference, serverKinds, 'reference'),
    clients: listOf(values.client, ['3.4', '3.7'] as const, 'client'),
    filter: values.filter,
    later: values.later,
    verbose: values.verbose,
    keep: values.keep,
    seed: wholeNumber(values.seed, 'seed'),
    operations: wholeNumber(values.operations, 'operations'),
    rounds: wholeNumber(values.rounds, 'rounds'),
    minutes: wholeNumber(values.minutes, 'minutes'),
    openWith: listOf(values['open-with'], serverKinds, 'open-with'),
    mixWith: listOf(values['mix-with'], serverKinds, 'mix-with'),
  };
}
