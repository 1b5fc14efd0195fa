import { RaftError } from '../errors.ts';
import type { Storage } from '../log/storage.ts';
import { type RaftLogger, silentLogger } from '../logger.ts';
import type { RandomSource } from '../random.ts';
import { isLocalTarget, NONE } from '../state.ts';
import type { RaftTracer } from '../trace.ts';

export const ReadOnlyOption = {
  /** Each batch of reads is confirmed by a quorum's answers to a heartbeat. */
  Safe: 'safe',
  /** Reads rely on the leader's lease, that is, on clocks that do not drift apart. Needs `checkQuorum`. */
  LeaseBased: 'lease-based',
} as const;
export type ReadOnlyOption = (typeof ReadOnlyOption)[keyof typeof ReadOnlyOption];

/** How a node behaves. Sizes are bytes as `entrySize` counts them, unless said otherwise; Infinity is no limit. */
export interface RaftConfig {
  /** Not 0, and not one of the two highest ids. */
  readonly id: bigint;
  /** Ticks without word from a leader before an election; each time up to as many again are drawn on top. */
  readonly electionTick: number;
  /** Ticks between heartbeats of a leader; below `electionTick`, a tenth of it is usual. */
  readonly heartbeatTick: number;
  readonly storage: Storage;
  /** Draws election timeouts. */
  readonly random: RandomSource;
  /** Last index that was applied before a restart; entries up to it are not handed out again. */
  readonly applied?: number;
  /** The application stores and applies on its own time, told by messages to local threads in `Ready.messages`. */
  readonly asyncStorageWrites?: boolean;
  /** Limit on the entries of one append message; one entry always passes. 0 sends one at a time. */
  readonly maxSizePerMsg?: number;
  /** Limit on committed entries that are handed out and not yet applied. Default: `maxSizePerMsg`. */
  readonly maxCommittedSizePerReady?: number;
  /** Limit on payload that is proposed and not yet committed; what crosses it is dropped. */
  readonly maxUncommittedEntriesSize?: number;
  /** Append messages that may be unacknowledged by a follower. */
  readonly maxInflightMsgs: number;
  /** Payload bytes that may be unacknowledged by a follower; not below `maxSizePerMsg`. */
  readonly maxInflightBytes?: number;
  /** A leader that hears of no quorum for an election timeout steps down, and followers of a live leader refuse to vote. */
  readonly checkQuorum?: boolean;
  /** A node asks whether it could win before it calls an election, so that one that was cut off disturbs nobody. */
  readonly preVote?: boolean;
  readonly readOnlyOption?: ReadOnlyOption;
  readonly logger?: RaftLogger;
  /** Followers drop proposals instead of sending them to the leader. */
  readonly disableProposalForwarding?: boolean;
  /** Configuration changes enter the log though they do not fit the configuration in force. Only for those who check it elsewhere. */
  readonly disableConfChangeValidation?: boolean;
  /** A leader that is removed or made a learner steps down when it applies that. */
  readonly stepDownOnRemoval?: boolean;
  /** Called with what happens inside, for checking against a model. */
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
