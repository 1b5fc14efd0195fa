// What is measured. `make` builds a state: `run` does `operations` operations and is timed, `prepare` goes before each run
// and is not. The program in conformance/go/raftbench has the same cases under the same names, but for those with a
// `goTest`: these do what a benchmark of the Go library itself does. `heap` cases say what one of `count` things weighs.
import { createEntry, createMessage, EntryType, MessageType, majorityCommittedIndex } from '../dist/index.js';
import { Cluster, drop, Node, payload } from './cluster.mjs';

/** Keeps what is computed from being optimized away. */
export const sink = { value: /** @type {unknown} */ (undefined) };

function check(condition, what) {
  if (!condition) throw new Error(`benchmark is broken: ${what}`);
}

/** Proposals that are committed and applied on all nodes, `inFlight` of them at a time. */
function proposals(size, inFlight, propose) {
  const cluster = new Cluster(size);
  const { raw } = cluster.leader;
  const operations = 1024;
  return {
    operations,
    run() {
      const before = cluster.nodes.map(({ applied }) => applied);
      for (let done = 0; done < operations; done += inFlight) {
        propose(raw, inFlight);
        cluster.settle();
      }
      cluster.compact();
      check(
        cluster.nodes.every(({ applied }, i) => applied - before[i] === operations),
        'a proposal is lost',
      );
    },
  };
}

function proposeEach(raw, count) {
  for (let i = 0; i < count; i++) raw.propose(payload);
}

const batches = new Map([256, 1000].map((count) => [count, new Array(count).fill(payload)]));

function proposeBatch(raw, count) {
  raw.proposeBatch(batches.get(count));
}

/** A follower takes entries, one a message; storing them is not timed. */
function stepAppends() {
  const operations = 256;
  const cluster = new Cluster(3);
  const follower = cluster.nodes[1];
  const { term } = follower.raw.basicStatus().hardState;
  let messages = [];
  return {
    operations,
    prepare() {
      while (follower.work(drop));
      follower.compact();
      const last = follower.storage.lastIndex();
      messages = Array.from({ length: operations }, (_, i) =>
        createMessage({
          type: MessageType.MsgApp,
          from: 1n,
          to: 2n,
          term,
          logTerm: term,
          index: last + i,
          entries: [createEntry(term, last + i + 1, EntryType.Normal, payload)],
          commit: last + i,
        }),
      );
    },
    run() {
      for (const message of messages) sink.value = follower.raw.step(message);
    },
  };
}

/** A leader takes acknowledgements of two followers: the first of each entry commits it and tells the others. */
function stepAcknowledgements() {
  const entries = 256;
  const { leader } = new Cluster(3);
  const { term } = leader.raw.basicStatus().hardState;
  let messages = [];
  return {
    operations: 2 * entries,
    prepare() {
      while (leader.work(drop));
      leader.compact();
      const last = leader.storage.lastIndex();
      check(leader.raw.basicStatus().hardState.commit === last, 'acknowledged and not committed');
      proposeEach(leader.raw, entries);
      leader.work(drop);
      messages = [];
      for (let index = last + 1; index <= last + entries; index++) {
        for (const from of [2n, 3n]) {
          messages.push(createMessage({ type: MessageType.MsgAppResp, from, to: 1n, term, index }));
        }
      }
    },
    run() {
      for (const message of messages) sink.value = leader.raw.step(message);
    },
  };
}

function hasNoReady() {
  const { raw } = new Cluster(3).leader;
  const operations = 8192;
  return {
    operations,
    run() {
      let count = 0;
      for (let i = 0; i < operations; i++) if (raw.hasReady()) count++;
      check(count === 0, 'an idle node has something to do');
    },
  };
}

function emptyReadies() {
  const { raw } = new Cluster(3).leader;
  const operations = 2048;
  return {
    operations,
    run() {
      for (let i = 0; i < operations; i++) {
        const ready = raw.ready();
        sink.value = ready;
        raw.advance(ready);
      }
    },
  };
}

/** One Ready from each of many leaders, which `fill` gives something to hand out. */
function filledReadies(count, fill) {
  const clusters = Array.from({ length: count }, () => new Cluster(3));
  const readies = new Array(count).fill(undefined);
  return {
    operations: count,
    prepare() {
      for (let i = 0; i < count; i++) {
        const cluster = clusters[i];
        if (readies[i] !== undefined) cluster.leader.carryOut(readies[i], cluster.send);
        cluster.settle();
        cluster.compact();
        fill(cluster);
      }
    },
    run() {
      for (let i = 0; i < count; i++) readies[i] = clusters[i].leader.raw.ready();
    },
  };
}

/** A thousand entries to store and a thousand others, committed, to apply. */
function fillWithMany(cluster) {
  proposeBatch(cluster.leader.raw, 1000);
  for (const node of cluster.nodes) node.work(cluster.send);
  proposeBatch(cluster.leader.raw, 1000);
}

function makeGroups(options) {
  return Array.from({ length: 1000 }, () => new Cluster(3, options));
}

/** All nodes of all groups tick, heartbeats go out and are answered. */
function tickGroups() {
  const groups = makeGroups();
  return {
    operations: groups.length,
    run() {
      for (const group of groups) {
        for (const { raw } of group.nodes) raw.tick();
        group.settle();
      }
      check(groups[0].leader.raw.basicStatus().softState.leader === 1n, 'a leader is lost');
    },
  };
}

/** The ticks alone of leaders, which makes heartbeats. */
function tickLeaders() {
  const groups = makeGroups();
  return {
    operations: groups.length,
    prepare() {
      for (const group of groups) group.settle();
    },
    run() {
      for (const { leader } of groups) leader.raw.tick();
    },
  };
}

function tickFollowers() {
  // No election comes in between.
  const groups = makeGroups({ electionTick: 1000 });
  const followers = groups.flatMap(({ nodes }) => nodes.slice(1).map(({ raw }) => raw));
  const ticks = 50;
  return {
    operations: ticks * followers.length,
    prepare() {
      for (const group of groups) {
        group.leader.raw.tick();
        group.settle();
      }
    },
    run() {
      for (let i = 0; i < ticks; i++) for (const follower of followers) follower.tick();
    },
  };
}

function reads(size, read) {
  const { raw } = new Cluster(size).leader;
  const operations = 1024;
  return {
    operations,
    run() {
      for (let i = 0; i < operations; i++) sink.value = read(raw);
    },
  };
}

function sumOfMatches(raw) {
  let sum = 0;
  raw.withProgress((_id, progress) => {
    sum += progress.match;
  });
  return sum;
}

/** A leader whose followers exist only as their answers, as the Go library's BenchmarkRawNode has it. */
function answeredProposals(size) {
  const ids = Array.from({ length: size }, (_, i) => BigInt(i + 1));
  const node = new Node(1n, ids, { checkQuorum: false, preVote: false, maxSizePerMsg: Number.POSITIVE_INFINITY });
  const data = new TextEncoder().encode('foo');
  const operations = 1024;
  const answer = ({ type, from, to, term, index, entries }) => {
    if (type === MessageType.MsgVote) node.raw.step({ type: MessageType.MsgVoteResp, from: to, to: from, term });
    if (type !== MessageType.MsgApp) return;
    const last = entries.length > 0 ? entries[entries.length - 1].index : index;
    node.raw.step({ type: MessageType.MsgAppResp, from: to, to: from, term, index: last });
  };
  node.raw.campaign();
  while (node.work(answer));
  return {
    operations,
    run() {
      const before = node.applied;
      for (let i = 0; i < operations; i++) {
        node.raw.propose(data);
        while (node.work(answer));
      }
      check(node.applied - before === operations, 'a proposal is lost');
    },
  };
}

function committedIndexes(count) {
  const ids = Array.from({ length: count }, (_, i) => BigInt(i + 1));
  const voters = new Set(ids);
  const acked = new Map(ids.map((id) => [id, Math.floor(Math.random() * 2 ** 31)]));
  const ackedOf = (id) => acked.get(id);
  const operations = 8192;
  return {
    operations,
    run() {
      for (let i = 0; i < operations; i++) sink.value = majorityCommittedIndex(voters, ackedOf);
    },
  };
}

const library = 'go.etcd.io/raft/v3';
const goTest = (benchmark, module = library) => ({ module, benchmark });

export const cases = [
  { name: 'propose-3x1', meaning: 'proposal, 3 nodes, 1 in flight', make: () => proposals(3, 1, proposeEach) },
  { name: 'propose-3x256', meaning: 'proposal, 3 nodes, 256 in flight', make: () => proposals(3, 256, proposeEach) },
  { name: 'batch-3x256', meaning: 'proposal, 3 nodes, batches of 256', make: () => proposals(3, 256, proposeBatch) },
  { name: 'propose-1x1', meaning: 'proposal, 1 node, 1 in flight', make: () => proposals(1, 1, proposeEach) },
  { name: 'propose-1x256', meaning: 'proposal, 1 node, 256 in flight', make: () => proposals(1, 256, proposeEach) },
  { name: 'batch-1x256', meaning: 'proposal, 1 node, batches of 256', make: () => proposals(1, 256, proposeBatch) },
  { name: 'step-app', meaning: 'step of MsgApp, 1 entry', make: stepAppends },
  { name: 'step-app-resp', meaning: 'step of MsgAppResp, every other commits', make: stepAcknowledgements },
  { name: 'ready-none', meaning: 'hasReady, nothing to do', make: hasNoReady },
  { name: 'ready-empty', meaning: 'ready and advance, nothing to do', make: emptyReadies },
  {
    name: 'ready-small',
    meaning: 'ready, 1 entry and 2 messages',
    make: () => filledReadies(256, ({ leader }) => leader.raw.propose(payload)),
  },
  { name: 'ready-large', meaning: 'ready, 1000 entries, 1000 committed', make: () => filledReadies(32, fillWithMany) },
  { name: 'groups-tick', meaning: '1000 groups of 3: tick of a group, all in all', make: tickGroups },
  { name: 'groups-leader', meaning: '1000 groups of 3: tick of a leader alone', make: tickLeaders },
  { name: 'groups-follower', meaning: '1000 groups of 3: tick of a follower alone', make: tickFollowers },
  { name: 'groups-heap', meaning: '1000 groups of 3: heap of a group', heap: { count: 1000, make: makeGroups } },
  { name: 'status', meaning: 'status, 3 nodes', make: () => reads(3, (raw) => raw.status()) },
  { name: 'basic-status', meaning: 'basicStatus, 3 nodes', make: () => reads(3, (raw) => raw.basicStatus()) },
  { name: 'progress', meaning: 'withProgress, 3 nodes', make: () => reads(3, sumOfMatches) },
  {
    name: 'go-rawnode-1',
    meaning: 'BenchmarkRawNode/single-voter',
    goTest: goTest('BenchmarkRawNode/single-voter'),
    make: () => answeredProposals(1),
  },
  {
    name: 'go-rawnode-2',
    meaning: 'BenchmarkRawNode/two-voters',
    goTest: goTest('BenchmarkRawNode/two-voters'),
    make: () => answeredProposals(2),
  },
  {
    name: 'go-status-100',
    meaning: 'BenchmarkStatus/members=100/Status',
    goTest: goTest('BenchmarkStatus/members=100/Status'),
    make: () => reads(100, (raw) => raw.status()),
  },
  {
    name: 'go-quorum-5',
    meaning: 'BenchmarkMajorityConfig_CommittedIndex/voters=5',
    goTest: goTest('BenchmarkMajorityConfig_CommittedIndex/voters=5', `${library}/quorum`),
    make: () => committedIndexes(5),
  },
];
