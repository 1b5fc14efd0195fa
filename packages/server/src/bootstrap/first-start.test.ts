import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeConfig } from '../config/config.ts';
import { parseArguments } from '../config/parse.ts';
import { type FirstStart, prepareFirstStart } from './first-start.ts';
import { FakePeers, firstStartDeps, listed, type PeerAnswers } from './testing/peers.ts';

const a = 'http://127.0.0.1:23801';
const b = 'http://127.0.0.1:23802';
const c = 'http://127.0.0.1:23803';
const idOfA = 0x4036b1db24775ea0n;
const idOfB = 0x2737ecedbf2a9065n;

function start(peers: FakePeers, ...flags: string[]): Promise<FirstStart> {
  const cluster = `--initial-cluster=a=${a},b=${b}`;
  const own = ['--name=a', `--initial-advertise-peer-urls=${a}`, cluster, '--initial-cluster-token=tok'];
  return prepareFirstStart(firstStartDeps(peers), makeConfig(parseArguments([...own, ...flags])));
}

test('a new cluster has the ids that etcd gives it; the others are asked whether this member has been here', async () => {
  const peers = new FakePeers({});
  const first = await start(peers);
  assert.deepEqual([first.memberId, first.clusterId], [idOfA, 0xa70b7b723c713c11n]);
  assert.deepEqual(
    first.firstPeers.map((member) => member.id),
    [idOfB],
  );
  assert.deepEqual(
    first.bootstrap?.changes.map((change) => change.nodeId),
    [idOfB, idOfA],
  );
  assert.deepEqual(peers.asked, [`members ${b} 1000`]);
});

const listing = (...members: ReturnType<typeof listed>[]): PeerAnswers => ({ members: { clusterId: 1n, members } });

test('a member that the others know with client URLs must not begin again', async () => {
  const known = listed(idOfA, a, { clientUrls: ['http://127.0.0.1:1'] });
  await assert.rejects(start(new FakePeers({ [b]: listing(known) })), {
    message: 'member 4036b1db24775ea0 has already been bootstrapped',
  });
  await start(new FakePeers({ [b]: listing(listed(idOfA, a)) }));
  await start(new FakePeers({ [b]: listing(listed(7n, c, { clientUrls: ['http://127.0.0.1:1'] })) }));
});

test('the first that answers is believed', async () => {
  const known = listing(listed(idOfA, a, { clientUrls: ['http://127.0.0.1:1'] }));
  const three = `--initial-cluster=a=${a},b=${b},c=${c}`;
  const peers = new FakePeers({ [b]: listing(listed(idOfA, a)), [c]: known });
  await start(peers, three);
  assert.deepEqual(peers.asked, [`members ${b} 1000`]);
  await assert.rejects(start(new FakePeers({ [c]: known }), three), /already been bootstrapped/);
});

const existing = '--initial-cluster-state=existing';
const running = { server: '3.4.23', cluster: '3.4.0' };
const cluster = { clusterId: 9n, members: [listed(5n, b, { name: 'x' }), listed(6n, a)] };
const joinable: PeerAnswers = { members: cluster, version: running };

test('who joins takes its id and the cluster id from the first member that answers', async () => {
  const peers = new FakePeers({ [b]: { ...joinable, isDowngradeEnabled: false } });
  const first = await start(peers, existing, '--initial-advertise-peer-urls=http://localhost:1');
  assert.deepEqual([first.memberId, first.clusterId, first.bootstrap], [6n, 9n, undefined]);
  assert.deepEqual(first.firstPeers, [cluster.members[0]]);
  assert.deepEqual(peers.asked, [`members ${b} 10000`, `version ${b} 7000`, `isDowngradeEnabled ${b} 7000`]);
  const other = { [b]: {}, [c]: { members: { clusterId: 8n, members: [...cluster.members, listed(7n, c)] } } };
  const three = await start(
    new FakePeers({ ...other, [b]: { version: running } }),
    existing,
    `--initial-cluster=a=${a},b=${b},c=${c}`,
  );
  assert.deepEqual([three.memberId, three.clusterId, three.firstPeers.length], [6n, 8n, 2]);
});

test('a cluster that does not answer, or says nothing, is not joined', async () => {
  await assert.rejects(start(new FakePeers({}), existing), {
    message: 'cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs',
  });
  await assert.rejects(start(new FakePeers({ [b]: listing() }), existing), {
    message: 'cannot fetch cluster info from peer urls: failed to get raft cluster member(s) from the given URLs',
  });
});

test('every member of the cluster must be in the configuration', async () => {
  const alone = new FakePeers({ [b]: listing(listed(5n, b, { name: 'x' })) });
  await assert.rejects(start(alone, existing), {
    message:
      'error validating peerURLs {ClusterID:1 Members:[&{ID:5 RaftAttributes:{PeerURLs:[http://127.0.0.1:23802] IsLearner:false} ' +
      'Attributes:{Name:x ClientURLs:[]}}] RemovedMemberIDs:[]}: member count is unequal',
  });
  await assert.rejects(
    start(new FakePeers({ [b]: listing(listed(5n, b), listed(6n, c)) }), existing),
    (error: Error) => {
      const why = `PeerURLs: no match found for existing member (6, [${c}]), last resolver error (resolved urls: "${c}" != "${b}")`;
      return error.message.endsWith(`RemovedMemberIDs:[]}: ${why}`);
    },
  );
});

const versions: readonly [what: string, answers: PeerAnswers, isJoined: boolean][] = [
  ['the version of this release', { version: { server: '3.7.1', cluster: '3.7.0' } }, true],
  ['an older one', { version: { server: '3.4.23', cluster: '3.0.0' } }, true],
  ['a newer one', { version: { server: '3.8.0', cluster: '3.8.0' } }, false],
  ['one before version 3', { version: { server: '3.0.0', cluster: '2.3.0' } }, false],
  ['none yet', { version: { server: '3.7.1', cluster: undefined } }, false],
  ['nothing', {}, false],
  ['a downgrade to this release', { version: { server: '3.8.0', cluster: '3.8.0' }, isDowngradeEnabled: true }, true],
  ['a downgrade below it', { version: { server: '3.7.1', cluster: '3.7.0' }, isDowngradeEnabled: true }, false],
];
for (const [what, answers, isJoined] of versions) {
  test(`a cluster that says of its version ${what} is ${isJoined ? 'joined' : 'not joined'}`, async () => {
    const joining = start(new FakePeers({ [b]: { members: cluster, ...answers } }), existing);
    if (isJoined) assert.equal((await joining).memberId, 6n);
    else await assert.rejects(joining, { message: 'incompatible with current running cluster' });
  });
}

test('a cluster with more learners than are allowed here is not joined', async () => {
  const learners = { clusterId: 9n, members: [listed(5n, b), listed(6n, a, { isLearner: true })] };
  const peers = { [b]: { members: learners, version: running } };
  await start(new FakePeers(peers), existing);
  await assert.rejects(start(new FakePeers(peers), existing, '--max-learners=0'), {
    message: 'membership: too many learner members in cluster',
  });
});
