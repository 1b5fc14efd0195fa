// Figure 7 of the Raft paper: when the leader at the top comes to power, any of the logs (a) to (f) may be there. Each is
// brought to its log by the consistency check of AppendEntries alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, MessageType } from '../../message.ts';
import { assertLogsMatch } from './log-matching.ts';
import { PaperCluster } from './paper-cluster.ts';

const LEADER = 1n;
const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
const followerLogs = {
  a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
  b: [1, 1, 1, 4],
  c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
  d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
  e: [1, 1, 1, 4, 4, 4, 4],
  f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
};

/** The leader of term 8, one follower with that log as server 2, and five more with the leader's log, who elect it. */
function repair(followerLog: readonly number[]): { refusals: number } {
  const others = Object.fromEntries([3, 4, 5, 6, 7].map((id) => [id, leaderLog]));
  const terms = Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((id) => [id, 7]));
  const cluster = new PaperCluster({ logs: { 1: leaderLog, 2: followerLog, ...others }, terms });
  let refusals = 0;
  cluster.filter = (message) => {
    assertLogsMatch(cluster.all);
    if (isRefusal(message)) refusals++;
    return false;
  };
  cluster.elect(LEADER);
  // Term 8 begins with the leader's empty entry.
  assert.deepEqual(cluster.node(2n).log, [...leaderLog, 8]);
  assert.deepEqual(cluster.node(2n).entries(), cluster.node(LEADER).entries());
  assert.equal(cluster.node(2n).commit, 11);
  return { refusals };
}

function isRefusal({ type, reject }: Message): boolean {
  return type === MessageType.MsgAppResp && reject;
}

test("Figure 7 (a): a log that lacks one entry becomes the leader's", () => {
  assert.equal(repair(followerLogs.a).refusals, 1);
});

test("Figure 7 (b): a log that lacks many entries becomes the leader's", () => {
  assert.equal(repair(followerLogs.b).refusals, 1);
});

test("Figure 7 (c): a log with one entry too many, of a term that the leader has, becomes the leader's", () => {
  assert.equal(repair(followerLogs.c).refusals, 0);
});

test("Figure 7 (d): a log with further entries, of a term that the leader never saw, becomes the leader's", () => {
  assert.equal(repair(followerLogs.d).refusals, 0);
});

test("Figure 7 (e): a log that lacks entries, and has others of an older term in their place, becomes the leader's", () => {
  assert.equal(repair(followerLogs.e).refusals, 1);
});

test("Figure 7 (f): a log that lacks entries, and has others of two terms that nobody else saw, becomes the leader's", () => {
  assert.equal(repair(followerLogs.f).refusals, 1);
});

test('Figure 7: the leader at the top wins with the votes of a, b, e and f, and all logs become its own', () => {
  const [a, b, c, d, e, f] = Object.values(followerLogs);
  const logs = { 1: leaderLog, 2: a ?? [], 3: b ?? [], 4: c ?? [], 5: d ?? [], 6: e ?? [], 7: f ?? [] };
  const terms = Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((id) => [id, 7]));
  const cluster = new PaperCluster({ logs, terms });
  const supporters: bigint[] = [];
  cluster.filter = ({ type, reject, from }) => {
    if (type === MessageType.MsgVoteResp && !reject) supporters.push(from);
    return false;
  };
  cluster.elect(LEADER);
  assert.deepEqual(supporters.sort(), [2n, 3n, 6n, 7n]);
  for (const server of cluster.all) assert.deepEqual(server.log, [...leaderLog, 8]);
});
