import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeConfig } from './config.ts';
import { settingsFromFile } from './config-file.ts';
import { UsageError } from './parse.ts';

function refusal(tree: unknown): string {
  try {
    makeConfig(settingsFromFile(tree));
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    return error.message;
  }
  assert.fail('was accepted');
}

test('what is of the wrong type is named with its field and both types', () => {
  const field = 'error unmarshaling JSON: while decoding JSON: json: cannot unmarshal';
  for (const [tree, text] of [
    [{ name: 5 }, 'number into Go struct field configYAML.Config.name of type string'],
    [{ 'snapshot-count': -1 }, 'number -1 into Go struct field configYAML.Config.snapshot-count of type uint64'],
    [
      { 'corrupt-check-time': '5s' },
      'string into Go struct field configYAML.Config.corrupt-check-time of type time.Duration',
    ],
    [{ 'log-outputs': 'stderr' }, 'string into Go struct field configYAML.Config.log-outputs of type []string'],
    [{ 'listen-peer-urls': [] }, 'array into Go struct field configYAML.configJSON.listen-peer-urls of type string'],
    [
      { 'peer-transport-security': { 'cert-file': true } },
      'bool into Go struct field securityConfig.configJSON.peer-transport-security.cert-file of type string',
    ],
    [
      { 'socket-options': 1 },
      'number into Go struct field configYAML.Config.socket-options of type transport.SocketOpts',
    ],
    [[], 'array into Go value of type embed.configYAML'],
  ] as const) {
    assert.equal(refusal(tree), `${field} ${text}`);
  }
});

test('URLs are refused under the name of their key, but for one that etcd names wrongly', () => {
  assert.match(refusal({ 'listen-metrics-urls': 'x' }), /^unexpected error setting up listen-metrics-urls: URL scheme/);
  assert.match(
    refusal({ 'advertise-client-urls': 'x' }),
    /^unexpected error setting up advertise-peer-urls: URL scheme/,
  );
});

test('capitals in keys do not count, nulls are as if they were not there, empty texts of URLs leave the default', () => {
  const made = makeConfig(settingsFromFile({ NAME: 'n', 'data-dir': null, 'listen-peer-urls': '' }));
  assert.equal(made.name, 'n');
  assert.equal(made.dataDir, 'n.etcd');
  assert.equal(made.listenPeerUrls[0]?.href, 'http://localhost:2380');
});

test('client URLs of a file need no advertised ones beside them', () => {
  const made = makeConfig(settingsFromFile({ 'listen-client-urls': 'http://127.0.0.1:1' }));
  assert.equal(made.advertiseClientUrls[0]?.href, 'http://localhost:2379');
});

test('an endpoint without text is not the same as no endpoints', () => {
  const discovery = (endpoints: string[]) => ({ 'discovery-config': { token: 't', client: { endpoints } } });
  assert.equal(refusal(discovery([''])), '--discovery-endpoints must not contain empty endpoints');
  assert.equal(refusal(discovery([])), 'both --discovery-token and --discovery-endpoints must be set');
});
