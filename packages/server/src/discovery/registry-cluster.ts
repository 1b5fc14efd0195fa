import { type Clock, CodedError, delay, type Logger } from '@quorate/base';

export interface RegistryEntry {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
}

/** The cluster that keeps the registry. All reject when it is not reached; whoever asks tries again. */
export interface Registry {
  get(key: string): Promise<string | undefined>;
  list(prefix: string): Promise<{ readonly entries: readonly RegistryEntry[]; readonly revision: number }>;
  put(key: string, value: string): Promise<void>;
  /** Resolves when something under the prefix has changed since the revision, or might have. */
  changed(prefix: string, sinceRevision: number): Promise<void>;
}

export interface RegistryDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
}

export interface RegistryQuestion {
  readonly token: string;
  readonly memberId: bigint;
  /** This member as the others are to have it, `name=url,…`. */
  readonly self: string;
}

/** Pauses are 2, 4, … seconds up to 2 to this power. */
const doublingsMax = 8;

/*
 *     /_etcd/registry/<token>/_config/size          how many members the cluster begins with; who made the token has put it there
 *     /_etcd/registry/<token>/members/<member id>   name=url,…   of each, in the order of their create revisions
 */

function refuse(problem: string): never {
  throw new CodedError('discovery/refused', `discovery: ${problem}`);
}

/**
 * Registers this member and waits until all are there. Asks for ever while the registry is not reached.
 * @returns the initial cluster, `name=url,…`
 * @throws CodedError discovery/refused with etcd's text
 */
export async function joinByRegistry(deps: RegistryDeps, question: RegistryQuestion): Promise<string> {
  const { logger, registry } = deps;
  const root = `/_etcd/registry/${question.token}`;
  const ownKey = `${root}/members/${question.memberId.toString(16)}`;
  const retrying = new Retrying(deps);
  try {
    await retrying.run('cluster status check', () => look(deps, root, ownKey));
    await retrying.run('register member itself', () => registry.put(ownKey, question.self));
    logger.info('register member itself successfully', { memberKey: ownKey, memberInfo: question.self });
    for (;;) {
      const { size, members, revision } = await retrying.run('cluster status check', () => look(deps, root, ownKey));
      const counts = { clusterSize: size, 'found-peers': members.length };
      if (members.length >= size) {
        logger.info('found all needed peers from discovery service', counts);
        const cluster = members
          .slice(0, size)
          .map(({ value }) => value)
          .join(',');
        logger.info('discovery joined cluster successfully', { cluster });
        return cluster;
      }
      logger.info('waiting for peers from discovery service', counts);
      await retrying.run('watch of members', () => registry.changed(`${root}/members/`, revision));
    }
  } catch (error) {
    const { message } = error as Error;
    logger.error('discovery failed to join cluster', { error: message });
    throw new CodedError('discovery/refused', `failed to join discovery cluster (${message})`);
  }
}

interface Registered {
  readonly size: number;
  /** Oldest first. */
  readonly members: readonly RegistryEntry[];
  readonly revision: number;
}

/** @throws CodedError discovery/refused when there is no place for this member */
async function look({ logger, registry }: RegistryDeps, root: string, ownKey: string): Promise<Registered> {
  const text = await registry.get(`${root}/_config/size`);
  if (text === undefined) refuse('size key not found');
  const size = /^[+-]?\d+$/.test(text) ? Number(text) : 0;
  if (size <= 0) refuse('size key is bad');
  const { entries, revision } = await registry.list(`${root}/members/`);
  const members = entries
    .filter(({ key, value }) => {
      const isValid = value.includes('=');
      const shown = { memberKey: key, memberInfo: value };
      if (isValid) logger.info('found peer from discovery service', shown);
      else logger.warn('invalid peer info returned from discovery service', shown);
      return isValid;
    })
    .sort((a, b) => a.createRevision - b.createRevision);
  const own = members.findIndex(({ key }) => key === ownKey);
  if ((own < 0 ? members.length : own) >= size) refuse('cluster is full');
  return { size, members, revision };
}

/** Does a thing again and again until it succeeds or is refused, with growing pauses. */
class Retrying {
  private readonly deps: RegistryDeps;
  private failures = 0;

  constructor(deps: RegistryDeps) {
    this.deps = deps;
  }

  async run<R>(reason: string, step: () => Promise<R>): Promise<R> {
    for (;;) {
      try {
        const result = await step();
        this.failures = 0;
        return result;
      } catch (error) {
        if (error instanceof CodedError && error.code === 'discovery/refused') throw error;
        this.failures++;
        const seconds = 2 ** Math.min(this.failures, doublingsMax);
        const { message } = error as Error;
        this.deps.logger.warn('retry connecting to discovery service', {
          reason,
          backoff: `${seconds}s`,
          error: message,
        });
        await delay(this.deps.clock, seconds * 1_000);
      }
    }
  }
}
