import { RaftError } from '../errors.ts';
import type { Storage } from '../log/storage.ts';
import { type RaftLogger, silentLogger } from '../logger.ts';
import type { RandomSource } from '../random.ts';
import { isLocalTarget, NONE } from '../state.ts';
import type { RaftTracer } from '../trace.ts';

/** How a leader makes sure that it still leads before it answers a read (section 6.4 of the thesis). */
export const ReadOnlyOption = {
  /** Each batch of reads is confirmed by a quorum's answers to a heartbeat. */
  Safe: 'safe',
  /**
   * Reads rely on the leader's lease, that is, on clocks that do not drift apart: where they do, a read may be stale. Needs
   * `checkQuorum` (section 6.4.1 of the thesis).
   */
  LeaseBased: 'lease-based',
} as const;
export type ReadOnlyOption = (typeof ReadOnlyOption)[keyof typeof ReadOnlyOption];

/**
 * How a node behaves. Times are ticks, which the application makes. Sizes are bytes as `entrySize` counts them, unless said
 * otherwise; Infinity is no limit. All nodes of a cluster should have the same ticks, `checkQuorum` and `preVote`.
 */
export interface RaftConfig {
  /** The node's own id. Not 0, and not one of the two highest ids. */
  readonly id: bigint;
  /**
   * Ticks without word from a leader before an election; each time up to as many again are drawn on top, so that not all
   * nodes call one at once (section 5.2 of the Raft paper). Above `heartbeatTick`.
   */
  readonly electionTick: number;
  /** Ticks between heartbeats of a leader. Above 0; a tenth of `electionTick` is usual. */
  readonly heartbeatTick: number;
  /** The log as it is stored. The node reads its state when it is made, and entries, terms and snapshots later on. */
  readonly storage: Storage;
  /** Draws election timeouts. */
  readonly random: RandomSource;
  /**
   * Last index that was applied before a restart; entries up to it are not handed out again. Between what the storage has
   * compacted, `firstIndex() - 1`, which is the default, and the stored commit index.
   */
  readonly applied?: number;
  /**
   * The application stores and applies on its own time, told by messages to local threads in `Ready.messages`. There is no
   * `advance` then. Default false.
   */
  readonly asyncStorageWrites?: boolean;
  /** Limit on the entries of one append message; one entry always passes. 0 sends one at a time. Default Infinity. */
  readonly maxSizePerMsg?: number;
  /** Limit on committed entries that are handed out and not yet applied; one always passes. Default: `maxSizePerMsg`. */
  readonly maxCommittedSizePerReady?: number;
  /**
   * Limit on payload bytes (of data alone) that are proposed and not yet applied by the leader. What crosses it is dropped,
   * but when nothing is pending one proposal of any size passes. 0 and the default are Infinity.
   */
  readonly maxUncommittedEntriesSize?: number;
  /** Append messages that may be unacknowledged by a follower. Above 0; 256 is usual. */
  readonly maxInflightMsgs: number;
  /**
   * Payload bytes (of data alone) that may be unacknowledged by a follower; the message that crosses it still goes out. Not
   * below `maxSizePerMsg`, which has to be given too. 0 and the default are Infinity.
   */
  readonly maxInflightBytes?: number;
  /**
   * A leader that hears of no quorum for an election timeout steps down (section 6.2 of the thesis), and followers of a live
   * leader refuse to vote (section 4.2.3). Default false.
   */
  readonly checkQuorum?: boolean;
  /**
   * A node asks whether it could win before it calls an election, so that one that was cut off disturbs nobody (section 9.6
   * of the thesis). Default false.
   */
  readonly preVote?: boolean;
  /** How reads are confirmed. Default `Safe`. */
  readonly readOnlyOption?: ReadOnlyOption;
  /** Where the node tells what it does. Default: nowhere. */
  readonly logger?: RaftLogger;
  /** Followers drop proposals instead of sending them to the leader. Default false. */
  readonly disableProposalForwarding?: boolean;
  /**
   * Configuration changes enter the log though they do not fit the configuration in force. Only for those who check it
   * elsewhere. Default false.
   */
  readonly disableConfChangeValidation?: boolean;
  /**
   * A leader that is removed or made a learner steps down when it applies that. Default false: it goes on without counting
   * itself, until another is elected (section 4.2.2 of the thesis).
   */
  readonly stepDownOnRemoval?: boolean;
  /** Called with what happens inside, for checking against a model; see {@link traceEventToJson}. Default: nobody. */
  readonly tracer?: RaftTracer;
}

export type Settings = Required<Omit<RaftConfig, 'tracer'>> & { readonly tracer: RaftTracer | undefined };

function refuse(text: string): never {
  throw new RaftError('raft/invalid-config', text);
}

/**
 * Checks a configuration and fills in defaults.
 * @throws {RaftError} raft/invalid-config
 */
export function resolveConfig(config: RaftConfig): Settings {
  const unlimited = Number.POSITIVE_INFINITY;
  const maxSizePerMsg = config.maxSizePerMsg ?? unlimited;
  const settings: Settings = {
    id: config.id,
    electionTick: config.electionTick,
    heartbeatTick: config.heartbeatTick,
    storage: config.storage,
    random: config.random,
    applied: config.applied ?? 0,
    asyncStorageWrites: config.asyncStorageWrites ?? false,
    maxSizePerMsg,
    maxCommittedSizePerReady: config.maxCommittedSizePerReady || maxSizePerMsg || 1,
    maxUncommittedEntriesSize: config.maxUncommittedEntriesSize || unlimited,
    maxInflightMsgs: config.maxInflightMsgs,
    maxInflightBytes: config.maxInflightBytes || unlimited,
    checkQuorum: config.checkQuorum ?? false,
    preVote: config.preVote ?? false,
    readOnlyOption: config.readOnlyOption ?? ReadOnlyOption.Safe,
    logger: config.logger ?? silentLogger,
    disableProposalForwarding: config.disableProposalForwarding ?? false,
    disableConfChangeValidation: config.disableConfChangeValidation ?? false,
    stepDownOnRemoval: config.stepDownOnRemoval ?? false,
    tracer: config.tracer,
  };
  if (settings.id === NONE) refuse('cannot use none as id');
  if (isLocalTarget(settings.id)) refuse('cannot use local target as id');
  if (settings.id < 0n || settings.id >= 1n << 64n) refuse('id must be an unsigned 64-bit integer');
  if (!(settings.heartbeatTick > 0)) refuse('heartbeat tick must be greater than 0');
  if (!(settings.electionTick > settings.heartbeatTick)) refuse('election tick must be greater than heartbeat tick');
  if (settings.storage === undefined) refuse('storage cannot be nil');
  if (!(settings.maxInflightMsgs > 0)) refuse('max inflight messages must be greater than 0');
  if (settings.maxInflightBytes < maxSizePerMsg) refuse('max inflight bytes must be >= max message size');
  if (settings.readOnlyOption === ReadOnlyOption.LeaseBased && !settings.checkQuorum) {
    refuse('CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased');
  }
  return settings;
}
