import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MemberConfig, makeConfig } from './config.ts';
import { settingsFromFile } from './config-file.ts';
import { formatDuration, parseDurationMs } from './duration.ts';
import { addEnvironment } from './environment.ts';
import { readLogConfig } from './log-config.ts';
import { parseArguments, UsageError } from './parse.ts';

const config = (...args: string[]): MemberConfig => makeConfig(parseArguments(args));

function refusal(run: () => unknown): { text: string; exitCode: number | undefined } {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    return { text: error.message, exitCode: error.data?.exitCode };
  }
  assert.fail('was accepted');
}

test('defaults are those of etcd 3.7', () => {
  const made = config();
  assert.equal(made.name, 'default');
  assert.equal(made.dataDir, 'default.etcd');
  assert.equal(made.snapshotCount, 10_000);
  assert.equal(made.requestBytesMax, 1_572_864);
  assert.equal(made.concurrentStreamsMax, 4_294_967_295);
  assert.equal(made.keepaliveIntervalMs, 7_200_000);
  assert.equal(made.listenClientUrls[0]?.href, 'http://localhost:2379');
  assert.deepEqual([...made.initialCluster], [['default', ['http://localhost:2380']]]);
});

test('flags take one dash or two, = or a following word, booleans only =', () => {
  const made = config(
    '-name',
    'a',
    '--pre-vote=false',
    '--data-dir=/x',
    '-heartbeat-interval=50',
    '--election-timeout',
    '500',
  );
  assert.equal(made.name, 'a');
  assert.equal(made.preVote, false);
  assert.equal(made.dataDir, '/x');
  assert.equal(made.heartbeatMs, 50);
  assert.equal(made.electionMs, 500);
});

test('what etcd refuses is refused with its text and exit code', () => {
  assert.deepEqual(
    refusal(() => config('--nonsense')),
    { text: 'flag provided but not defined: -nonsense', exitCode: 2 },
  );
  assert.deepEqual(
    refusal(() => config('--discovery=x')),
    { text: 'flag provided but not defined: -discovery', exitCode: 2 },
  );
  assert.deepEqual(
    refusal(() => config('--snapshot-count=x')),
    {
      text: 'invalid value "x" for flag -snapshot-count: parse error',
      exitCode: 2,
    },
  );
  assert.deepEqual(
    refusal(() => config('word')),
    { text: '"word" is not a valid flag', exitCode: 1 },
  );
  assert.match(refusal(() => config('--election-timeout=400')).text, /should be at least as 5 times as/);
  assert.match(
    refusal(() => config('--listen-client-urls=http://127.0.0.1:1')).text,
    /--advertise-client-urls is required/,
  );
  assert.match(refusal(() => config('--feature-gates=Nope=true')).text, /unrecognized feature gate: Nope/);
  assert.match(refusal(() => config('--listen-peer-urls=http://example.org:1')).text, /expected IP in URL for binding/);
});

test('advertised URLs need a host, and a cluster to begin is new or exists', () => {
  assert.equal(
    refusal(() => config('--initial-advertise-peer-urls=http://:2380')).text,
    '--initial-advertise-peer-urls "http://:2380" must be "host:port" (unexpected empty host (http://:2380))',
  );
  assert.equal(
    refusal(() => config('--advertise-client-urls=http://:2379,http://h:1')).text,
    '--advertise-client-urls "http://:2379,http://h:1" must be in the format "host:port", "unix:/path/to/socket" or ' +
      '"unixs:/path/to/socket" (unexpected empty host (http://:2379))',
  );
  assert.equal(
    refusal(() => makeConfig(settingsFromFile({ 'initial-cluster-state': 'old' }))).text,
    'unexpected clusterState "old"',
  );
});

test('the environment counts unless the flag is there too', () => {
  const settings = parseArguments([]);
  addEnvironment(settings, { ETCD_NAME: 'e', ETCD_NONSENSE: '1', ETCD_DATA_DIR: '', PATH: '/bin' });
  const made = makeConfig(settings);
  assert.equal(made.name, 'e');
  assert.equal(made.dataDir, 'e.etcd');
  assert.deepEqual(
    settings.notes.map((note) => note.message),
    [
      'recognized and used environment variable',
      'unrecognized environment variable',
      // An empty one counts as not given, and is named as one that nobody knows.
      'unrecognized environment variable',
    ],
  );
  assert.match(refusal(() => addEnvironment(parseArguments(['--name=f']), { ETCD_NAME: 'e' })).text, /shadowed by/);
});

test('a file has nanoseconds, lists and nested keys', () => {
  const settings = settingsFromFile({
    name: 'n',
    'backend-batch-interval': 50_000_000,
    'log-outputs': ['stderr', '/var/log/etcd.log'],
    'client-transport-security': { 'cert-file': 'c', 'key-file': 'k' },
    unknown: 1,
  });
  const made = makeConfig(settings);
  assert.equal(made.backendBatchIntervalMs, 50);
  assert.equal(made.clientTls.certFile, 'c');
  assert.deepEqual(readLogConfig(settings).outputs, ['stderr', '/var/log/etcd.log']);
  assert.match(refusal(() => settingsFromFile({ name: { a: 1 } })).text, /error unmarshaling JSON/);
});

test('origins are URLs, or any', () => {
  assert.deepEqual(makeConfig(parseArguments(['--cors=*'])).corsOrigins, ['*']);
  const listed = makeConfig(parseArguments(['--cors=http://b:1,https://a:2']));
  assert.deepEqual(listed.corsOrigins, ['http://b:1', 'https://a:2']);
  assert.match(refusal(() => parseArguments(['--cors=http://a'])).text, /for flag -cors: .*"host:port": http:\/\/a/);
});

test('the retention of compactions is a duration, hours or revisions', () => {
  const policy = (...args: string[]) => config(...args).autoCompaction;
  assert.equal(policy(), undefined);
  assert.equal(policy('--auto-compaction-mode=revision', '--auto-compaction-retention=0s'), undefined);
  assert.equal(policy('--auto-compaction-retention='), undefined);
  assert.deepEqual(policy('--auto-compaction-retention=2'), { mode: 'periodic', retentionMs: 7_200_000 });
  assert.deepEqual(policy('--auto-compaction-retention=10m'), { mode: 'periodic', retentionMs: 600_000 });
  const revisions = (text: string) => policy('--auto-compaction-mode=revision', `--auto-compaction-retention=${text}`);
  assert.deepEqual(revisions('100'), { mode: 'revision', retention: 100 });
  assert.deepEqual(revisions('1us'), { mode: 'revision', retention: 1000 });
  for (const [text, problem] of [
    ['10x', 'unknown unit "x" in duration "10x"'],
    ['1hx', 'unknown unit "hx" in duration "1hx"'],
    ['-5', 'missing unit in duration "-5"'],
    ['1h5', 'missing unit in duration "1h5"'],
    ['m', 'invalid duration "m"'],
  ] as const) {
    const wrong = config('--auto-compaction-mode=revision', `--auto-compaction-retention=${text}`);
    assert.deepEqual([wrong.autoCompaction, wrong.autoCompactionProblem], [undefined, `time: ${problem}`]);
  }
  assert.equal(refusal(() => config('--auto-compaction-mode=x')).text, 'unknown auto-compaction-mode "x"');
  assert.equal(refusal(() => config('--auto-compaction-mode=')).text, 'undefined auto-compaction-mode');
});

test('durations read and print as Go does', () => {
  for (const [text, ms] of [
    ['1m30s', 90_000],
    ['100ms', 100],
    ['2h0m0s', 7_200_000],
    ['1.5s', 1500],
    ['0s', 0],
  ] as const) {
    assert.equal(parseDurationMs(text), ms);
  }
  assert.equal(parseDurationMs('5'), undefined);
  assert.equal(formatDuration(7000), '7s');
  assert.equal(formatDuration(7_200_000), '2h0m0s');
  assert.equal(formatDuration(0.5), '500µs');
});
