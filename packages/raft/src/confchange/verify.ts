import { RaftError } from '../errors.ts';
import type { Configuration } from '../tracker/configuration.ts';
import type { Progress } from '../tracker/progress.ts';

function broken(text: string): never {
  throw new RaftError('raft/invalid-conf-change', text);
}

/**
 * Checks that configuration and progress fit together.
 * @throws {RaftError} raft/invalid-conf-change
 */
export function verifyConfiguration(membership: {
  readonly config: Configuration;
  readonly progress: ReadonlyMap<bigint, Progress>;
}): void {
  const { config, progress } = membership;
  for (const ids of [config.incoming, config.outgoing, config.learners, config.learnersNext]) {
    for (const id of ids) if (!progress.has(id)) broken(`no progress for ${id}`);
  }
  for (const id of config.learnersNext) {
    if (!config.outgoing.has(id)) broken(`${id} is in LearnersNext, but not Voters[1]`);
    if (progress.get(id)?.isLearner) broken(`${id} is in LearnersNext, but is already marked as learner`);
  }
  for (const id of config.learners) {
    if (config.outgoing.has(id)) broken(`${id} is in Learners and Voters[1]`);
    if (config.incoming.has(id)) broken(`${id} is in Learners and Voters[0]`);
    if (!progress.get(id)?.isLearner) broken(`${id} is in Learners, but is not marked as learner`);
  }
  if (config.outgoing.size > 0) return;
  if (config.learnersNext.size > 0) broken('cfg.LearnersNext must be nil when not joint');
  if (config.autoLeave) broken('AutoLeave must be false when not joint');
}
