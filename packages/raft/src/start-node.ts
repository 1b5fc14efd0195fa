import type { Peer } from './bootstrap.ts';
import type { RaftConfig } from './core/config.ts';
import { RaftError } from './errors.ts';
import { type NodeOptions, type NodeScheduler, RaftNode } from './node.ts';
import { RawNode } from './raw-node.ts';

/** Options of the node; whether its storage writes are asynchronous stands in its {@link RaftConfig}. */
export type StartOptions = Omit<NodeOptions, 'asyncStorageWrites'>;

/**
 * Starts a member of a new cluster with these peers, itself among them; see {@link RawNode.bootstrap}. With a storage that
 * is not empty it says so in the log and starts from what is there.
 * @throws {RaftError} raft/bootstrap without peers, raft/invalid-config
 */
export function startNode(
  config: RaftConfig,
  peers: readonly Peer[],
  scheduler: NodeScheduler,
  options?: StartOptions,
): RaftNode {
  if (peers.length === 0) throw new RaftError('raft/bootstrap', 'no peers given; use restartNode instead');
  const raw = new RawNode(config);
  try {
    raw.bootstrap(peers);
  } catch (error) {
    if (!(error instanceof RaftError)) throw error;
    config.logger?.warn?.(`error occurred during starting a new node: ${error.message}`);
  }
  return nodeOver(raw, config, scheduler, options);
}

/** Starts a member again from its storage, or one that joins and hears of the others from the leader. @throws {RaftError} raft/invalid-config */
export function restartNode(config: RaftConfig, scheduler: NodeScheduler, options?: StartOptions): RaftNode {
  return nodeOver(new RawNode(config), config, scheduler, options);
}

function nodeOver(raw: RawNode, config: RaftConfig, scheduler: NodeScheduler, options: StartOptions = {}): RaftNode {
  const { logger, asyncStorageWrites = false } = config;
  return new RaftNode(
    { raw, scheduler, ...(logger === undefined ? {} : { logger }) },
    { ...options, asyncStorageWrites },
  );
}
