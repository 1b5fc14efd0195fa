import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '@quorate/base';
import { listed } from '../bootstrap/testing/peers.ts';
import { askPeerHashes } from './peer-hashes.ts';
import { UpkeepWorld } from './testing/upkeep-world.ts';

const refused = (text: string) => new CodedError('peer/refused', text);

test('each other member is asked over its URLs in turn, and why it has no hash is told by its text', async () => {
  const world = new UpkeepWorld();
  const answers: Record<string, Error | number> = {
    'http://a:2': new CodedError('peer/unreachable', 'no connection'),
    'http://b:2': 42,
    'http://a:3': refused('mvcc: required revision is a future revision'),
    'http://a:4': refused('mvcc: required revision has been compacted'),
    'http://a:5': refused('cluster ID mismatch'),
    'http://a:6': refused('something else'),
  };
  const members = [1n, 2n, 3n, 4n, 5n, 6n].map((id) => listed(id, `http://a:${id}`));
  members[1] = listed(2n, '', { peerUrls: ['http://a:2', 'http://b:2'] });
  members.push(listed(7n, '', { peerUrls: [] }));
  const peerClient = {
    hashKeys: (url: string, revision: number) => {
      const answer = answers[url] as Error | number;
      if (answer instanceof Error) return Promise.reject(answer);
      return Promise.resolve({ revision, hash: answer, compactRevision: -1, hashRevision: revision });
    },
  };
  const deps = { logger: world.logger, peerClient, cluster: { members }, memberId: 1n, clusterId: 9n };
  const found = await askPeerHashes(deps, 5, 1000);
  assert.deepEqual(
    found.map(({ id, hash, reason }) => `${id} ${hash?.hash ?? '-'} ${reason}`),
    ['2 42 answered', '3 - behind', '4 - compacted', '5 - other-cluster', '6 - unreachable'],
  );
  assert.deepEqual(new Set(world.lines), new Set(['warn: failed hash kv request']));
  assert.equal(world.lines.length, 5);
});
