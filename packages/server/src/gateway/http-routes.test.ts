import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerHttp, type HttpSource } from './http-routes.ts';

const healthy: HttpSource = {
  alarms: () => [],
  hasLeader: () => true,
  isLearner: () => false,
  checkRead: async () => {},
  clusterVersion: () => '3.7.0',
  storageVersion: () => undefined,
  exposeMetrics: () => 'x 1\n',
};
const get = (target: string, source: HttpSource = healthy) => answerHttp(source, { method: 'GET', target });

test('health says true, or why not', async () => {
  assert.equal((await get('/health')).body, '{"health":"true","reason":""}');
  const alarmed = { ...healthy, alarms: () => ['NOSPACE'] };
  assert.deepEqual(
    [(await get('/health', alarmed)).status, (await get('/health', alarmed)).body],
    [503, '{"health":"false","reason":"ALARM NOSPACE"}'],
  );
  assert.equal((await get('/health?exclude=NOSPACE', alarmed)).status, 200);
  const orphan = { ...healthy, hasLeader: () => false };
  assert.match((await get('/health', orphan)).body, /RAFT NO LEADER/);
  assert.equal((await get('/health?serializable=true', orphan)).status, 200);
  const failing = { ...healthy, checkRead: () => Promise.reject(new Error('etcdserver: request timed out')) };
  assert.match((await get('/health', failing)).body, /RANGE ERROR:etcdserver: request timed out/);
});

test('readyz and livez run their checks', async () => {
  assert.equal((await get('/livez')).body, 'ok\n');
  assert.equal((await get('/readyz?verbose')).body.split('\n')[2], '[+]linearizable_read ok');
  const learner = { ...healthy, isLearner: () => true };
  assert.equal((await get('/readyz', learner)).status, 503);
  assert.equal((await get('/readyz?exclude=non_learner', learner)).status, 200);
  assert.equal((await get('/readyz/serializable_read', learner)).status, 200);
  assert.equal((await get('/readyz/nonsense')).status, 404);
});

test('version, metrics, unknown paths and methods', async () => {
  assert.equal((await get('/version')).body, '{"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"unknown"}');
  assert.equal((await get('/metrics')).body, 'x 1\n');
  assert.equal((await get('/nothing')).status, 404);
  assert.equal((await answerHttp(healthy, { method: 'POST', target: '/health' })).status, 405);
});
