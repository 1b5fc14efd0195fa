import { type Random, utf8ToBytes } from '@quorate/base';
import { makeConfig, type RawSettings, settingsFromFile, UsageError } from 'quorate';
import { parseDocument } from 'yaml';
import { codeOf, rule, type Target } from '../engine/target.ts';

const files = [
  `name: default\ndata-dir: /tmp/x\nwal-dir:\nsnapshot-count: 10000\nheartbeat-interval: 100\nelection-timeout: 1000\n`,
  `listen-client-urls: http://127.0.0.1:2379,unix://a\nadvertise-client-urls: http://localhost:2379\ncors: '*'\n`,
  `initial-cluster: a=http://127.0.0.1:1,b=https://h:2\ninitial-cluster-state: new\ninitial-cluster-token: t\n`,
  `client-transport-security:\n  cert-file: /a\n  key-file: /b\n  client-cert-auth: true\n  auto-tls: false\n`,
  `log-level: debug\nlogger: zap\nlog-outputs: [stderr, default]\nauto-compaction-mode: revision\n`,
  `auto-compaction-retention: "5m"\nquota-backend-bytes: 0\nmax-txn-ops: 128\nenable-pprof: yes\n`,
  `feature-gates: A=true,B=false\ncipher-suites: [TLS_AES_128_GCM_SHA256]\ntls-min-version: TLS1.2\nauth-token: simple\n`,
  `grpc-keepalive-interval: 7200000000000\nsocket-options:\n  reuse-port: on\n  reuse-address: off\nhost-whitelist: a,b\n`,
];
const words = [
  ...[
    '\n',
    ': ',
    '- ',
    '  ',
    '&a ',
    '*a',
    '!!int ',
    '!!binary ',
    '|',
    '>',
    '{',
    '}',
    '[',
    ']',
    ',',
    '#',
    '"',
    "'",
    '~',
  ],
  ...['null', 'true', 'yes', '1e3', '0x1f', '0o7', '.inf', '.nan', '-1', '1.5', '9223372036854775808', '2020-01-01'],
  ...['name', 'listen-peer-urls', 'http://', 'https://[::1]:1', '%', '<<: ', '? ', '...', '---', '%YAML 1.1', '=', '@'],
].map(utf8ToBytes);

const isTyped = (error: unknown): boolean => error instanceof UsageError;

/** As the program reads its file (packages/cli/src/configuration.ts). */
function treeOf(text: string): unknown {
  const document = parseDocument(text, {
    ...{ version: '1.1', uniqueKeys: false, logLevel: 'error' },
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || tag.tag !== 'tag:yaml.org,2002:timestamp'),
  });
  const [problem] = document.errors;
  if (problem) throw new UsageError(problem.message, 1, 'verify');
  try {
    return document.toJS();
  } catch (error) {
    throw new UsageError((error as Error).message, 1, 'verify');
  }
}

function shown(settings: RawSettings): string {
  return JSON.stringify([...settings.values].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export const configTarget: Target = {
  name: 'config',
  watches: ['/server/dist/config/'],
  inputBytesMax: 2048,
  testRuns: 1500,
  words,
  async seeds(_random: Random) {
    return files.map(utf8ToBytes);
  },
  run(input) {
    const text = new TextDecoder().decode(input);
    let tree: unknown;
    let settings: RawSettings;
    try {
      tree = treeOf(text);
      settings = settingsFromFile(tree);
    } catch (error) {
      return codeOf(error, isTyped);
    }
    // JSON is YAML: the same file in that form says the same.
    const before = shown(settings);
    const again = settingsFromFile(treeOf(JSON.stringify(tree) ?? ''));
    rule(shown(again) === before, `other settings from JSON: ${shown(again)} and not ${before}`);
    try {
      makeConfig(settings);
    } catch (error) {
      return `whole: ${codeOf(error, isTyped)}`;
    }
    return settings.values.size > 0 ? 'ok' : 'empty';
  },
};
