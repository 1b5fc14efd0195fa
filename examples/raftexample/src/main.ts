import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { noMetrics, utf8ToBytes } from '@quorate/base';
import { NodeClock, NodeDisk, NodeRandom } from '@quorate/base/node';
import { RaftNode, RawNode } from '@quorate/raft';
import { createLogger } from 'quorate';
import { DurableLog, type World } from './durable-log.ts';
import { createApi } from './http-api.ts';
import { KeyValueStore } from './key-value-store.ts';
import { Members, peerUrl } from './members.ts';
import { clusterId, Peers } from './peers.ts';
import { RaftLoop } from './raft-loop.ts';

const usage = `usage: raftexample [--id 1] [--cluster URL,URL,...] [--port 9121] [--join]
  --id                        position of this node in --cluster, from 1 on
  --cluster                   peer URL of each node
  --port                      of the HTTP API, on 127.0.0.1
  --join                      the cluster runs already and was told of this node
  --snapshot-count            entries between two snapshots (10000)
  --snapshot-catchup-entries  entries kept behind a snapshot (10000)
`;

function optionsOf(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      id: { type: 'string', default: '1' },
      cluster: { type: 'string', default: 'http://127.0.0.1:9021' },
      port: { type: 'string', default: '9121' },
      join: { type: 'boolean', default: false },
      'snapshot-count': { type: 'string', default: '10000' },
      'snapshot-catchup-entries': { type: 'string', default: '10000' },
    },
  });
  const number = (name: 'id' | 'port' | 'snapshot-count' | 'snapshot-catchup-entries', min: number, max: number) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < min || value > max) throw new RangeError(`bad value of --${name}`);
    return value;
  };
  const cluster = values.cluster.split(',').map((text) => {
    const url = peerUrl(text);
    if (url === undefined) throw new RangeError(`not a peer URL: ${text}`);
    return url;
  });
  return {
    id: BigInt(number('id', 1, cluster.length)),
    cluster,
    port: number('port', 0, 65_535),
    join: values.join,
    snapshotCount: number('snapshot-count', 1, Number.MAX_SAFE_INTEGER),
    catchUpEntries: number('snapshot-catchup-entries', 0, Number.MAX_SAFE_INTEGER),
  };
}

type Options = ReturnType<typeof optionsOf>;

function makeNode(world: World, log: DurableLog, { id, cluster, join }: Options): RaftNode {
  const raw = new RawNode({
    id,
    storage: log.memory,
    random: world.random,
    // In ticks: without word from a leader for 1 to 2 seconds a node stands for election; a leader sends a heartbeat each 0.1.
    electionTick: 10,
    heartbeatTick: 1,
    maxSizePerMsg: 1024 * 1024,
    maxInflightMsgs: 256,
    maxUncommittedEntriesSize: 1024 * 1024 * 1024,
    // A leader that hears of no majority steps down, and a node that was cut off does not disturb the others when it comes back.
    checkQuorum: true,
    preVote: true,
    logger: world.logger,
  });
  // The log of a new cluster begins with its members, the same on each of them. A node that joins gets all that from the others.
  if (log.memory.lastIndex() === 0 && !join) {
    raw.bootstrap(cluster.map((url, i) => ({ id: BigInt(i + 1), context: utf8ToBytes(url) })));
  }
  return new RaftNode({ raw, scheduler: world.clock, logger: world.logger });
}

async function serve(world: World, options: Options): Promise<void> {
  const { id, cluster, port } = options;
  const directory = `raftexample-${id}`;
  const log = await DurableLog.open(world, {
    walDirectory: directory,
    snapshotDirectory: `${directory}-snap`,
    nodeId: id,
    clusterId,
  });
  const node = makeNode(world, log, options);
  const members = new Members();
  const store = new KeyValueStore();
  const onRemoved = () => {
    world.logger.warn('this node was removed from the cluster');
    void stop();
  };
  const snapshot = () => loop.snapshot();
  const peers = await Peers.open({ ...world, node, members, snapshot, onRemoved }, id, cluster);
  const loop = new RaftLoop({ node, log, peers, members, store }, options);
  const api = createApi({ store, node, members });

  // Twice does no harm.
  const stop = async () => {
    api.close();
    api.closeAllConnections();
    await peers.close();
    loop.stop();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);

  await once(api.listen(port, '127.0.0.1'), 'listening');
  world.logger.info('serving', { api: `http://127.0.0.1:${port}`, peers: cluster[Number(id) - 1] });
  await loop.run();
  await log.close();
}

const logger = createLogger({ level: 'info', format: 'console', outputs: ['stderr'] }, 'raftexample');
const world = { clock: new NodeClock(), disk: new NodeDisk(), random: new NodeRandom(), logger, metrics: noMetrics };
let options: Options;
try {
  options = optionsOf(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`raftexample: ${(error as Error).message}\n${usage}`);
  process.exit(2);
}
try {
  await serve(world, options);
} catch (error) {
  // A disk that failed, a promise that was broken: whatever it is, going on could only make it worse.
  logger.error('this node cannot go on', { error });
  process.exit(1);
}
