import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeConfig } from './config.ts';
import { parseArguments } from './parse.ts';

const clusterOf = (...args: string[]) => [...makeConfig(parseArguments(args)).initialCluster];

test('of a name alone the initial cluster is made, of the default name it is not', () => {
  assert.deepEqual(clusterOf('--name=a', '--initial-advertise-peer-urls=http://h:1'), [['a', ['http://h:1']]]);
  assert.deepEqual(clusterOf('--initial-advertise-peer-urls=http://h:1'), [['default', ['http://localhost:2380']]]);
});

test('where the cluster is discovered none is assumed', () => {
  assert.deepEqual(clusterOf('--name=a', '--discovery-srv=example.org'), []);
  assert.deepEqual(clusterOf('--name=a', '--discovery-token=t', '--discovery-endpoints=h:1'), []);
});

test('a broken initial cluster is told, not thrown: a restart does not look at it', () => {
  const made = makeConfig(parseArguments(['--initial-cluster=a=http://h']));
  assert.equal(made.initialClusterProblem, 'URL address does not have the form "host:port": http://h');
});

test('who listens on all addresses advertises that of the default route', () => {
  const args = ['--name=a', '--listen-peer-urls=http://0.0.0.0:5', '--listen-client-urls=http://127.0.0.1:6'];
  const made = makeConfig(parseArguments([...args, '--advertise-client-urls=http://h:6']), { defaultHost: '10.0.0.9' });
  assert.equal(made.advertisePeerUrls[0]?.href, 'http://10.0.0.9:5');
  assert.equal(made.advertiseClientUrls[0]?.href, 'http://h:6');
  assert.deepEqual([...made.initialCluster], [['a', ['http://10.0.0.9:5']]]);
});
