// Figure 8 of the Raft paper: why a leader does not take an entry of an older term for committed because a majority holds it.
// A leader of this library begins its term with an entry of its own, so the entries at index 2 are those. It sends one entry
// in a message here, so that each can be held back by itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageType } from '../../message.ts';
import { PaperCluster } from './paper-cluster.ts';

/** Steps (a) to (c): the entry of term 2 ends up on servers 1, 2 and 3, that of term 3 on server 5. */
function upToC(): PaperCluster {
  const cluster = new PaperCluster({
    logs: { 1: [1], 2: [1], 3: [1], 4: [1], 5: [1] },
    commits: { 1: 1, 2: 1, 3: 1, 4: 1, 5: 1 },
    options: { maxSizePerMsg: 0 },
  });
  // (a) Server 1 leads term 2 and gets its entry to server 2 alone.
  cluster.filter = ({ type, to }) => type === MessageType.MsgApp && to !== 2n;
  cluster.elect(1n);
  assert.deepEqual(logs(cluster), [[1, 2], [1, 2], [1], [1], [1]]);
  // (b) It crashes. Server 5 wins term 3 with the votes of 3 and 4, and has another entry at index 2.
  cluster.crash(1n);
  cluster.filter = ({ type }) => type === MessageType.MsgApp;
  cluster.elect(5n);
  assert.deepEqual(cluster.node(5n).log, [1, 3]);
  // (c) Server 5 crashes. Server 1 is back, wins term 4 and goes on with its entry of term 2, which server 3 takes.
  cluster.crash(5n);
  cluster.restart(1n);
  // Its entry of term 4 gets nowhere: requests with it arrive without it.
  cluster.filter = (message) => {
    if (message.type !== MessageType.MsgApp) return false;
    const isOfTerm4 = message.entries.some(({ term }) => term === 4);
    if (isOfTerm4 && message.to !== 4n) cluster.node(message.to).raw.step({ ...message, entries: [] });
    return isOfTerm4;
  };
  // The first attempt only tells it that there was a term 3.
  cluster.campaign(1n);
  cluster.elect(1n);
  assert.equal(cluster.node(1n).term, 4);
  assert.deepEqual(cluster.node(2n).log, [1, 2]);
  assert.deepEqual(cluster.node(3n).log, [1, 2]);
  return cluster;
}

/** Of the servers that are up, in order. */
function logs(cluster: PaperCluster): number[][] {
  return cluster.all.sort((a, b) => Number(a.id - b.id)).map(({ log }) => log);
}

test('Figure 8 (a) to (c): an entry of an older term is on a majority, and not committed', () => {
  const cluster = upToC();
  const { raw, commit } = cluster.node(1n);
  const matches = [...raw.status().progress.values()].map(({ match }) => match);
  assert.deepEqual(matches, [3, 2, 2, 0, 0], 'the leader knows that three of five hold it');
  assert.equal(commit, 1);
});

test('Figure 8 (d): server 5 may still win and put its entry in the place of the older one', () => {
  const cluster = upToC();
  cluster.crash(1n);
  cluster.restart(5n);
  cluster.filter = () => false;
  // The first attempt only tells it that there was a term 4.
  cluster.campaign(5n);
  cluster.elect(5n);
  assert.deepEqual(logs(cluster), [
    [1, 3, 5],
    [1, 3, 5],
    [1, 3, 5],
    [1, 3, 5],
  ]);
  cluster.restart(1n);
  cluster.tick();
  assert.deepEqual(cluster.node(1n).log, [1, 3, 5]);
  for (const server of cluster.all) assert.deepEqual(server.applied, ['1/1'], 'nobody ever applied the lost entry');
});

test('Figure 8 (e): once an entry of the own term is on a majority, the older one is committed with it', () => {
  const cluster = upToC();
  cluster.filter = ({ type, to }) => type === MessageType.MsgApp && to === 4n;
  cluster.tick();
  assert.deepEqual(cluster.node(3n).log, [1, 2, 4]);
  assert.equal(cluster.node(1n).commit, 3);
  // Now server 5 cannot win: only server 4 would vote for it.
  cluster.crash(1n);
  cluster.restart(5n);
  cluster.filter = () => false;
  for (let attempt = 0; attempt < 3; attempt++) cluster.campaign(5n);
  assert.deepEqual(cluster.leaders, []);
  cluster.elect(3n);
  assert.deepEqual(logs(cluster).slice(0, 3), Array(3).fill([1, 2, 4, cluster.node(3n).term]));
});
