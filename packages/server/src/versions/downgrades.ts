import { type ErrorSymbol, errors, membershippb } from '@quorate/api';
import type { Logger } from '@quorate/base';
import type { Cluster } from '@quorate/machine';
import type { LinearizableReads } from '../rpc/member-context.ts';
import { type Proposals, proposeRequest, RequestField } from '../rpc/proposals.ts';
import { minorOf, oneBelow } from './cluster-version.ts';

export interface DowngradesDeps {
  readonly cluster: Pick<Cluster, 'version' | 'downgrade'>;
  readonly proposals: Proposals;
  readonly reads: Pick<LinearizableReads, 'linearizableRead'>;
  readonly logger: Logger;
}

/**
 * What operators ask before and while they exchange the members for those of the release before: whether the cluster can go down, that it
 * shall, that it shall not after all. The leader then lowers the cluster's version (`version-monitor.ts`), each member its database's
 * (`storage-version.ts`), and the job ends when all members run the target.
 */
export class Downgrades {
  private readonly deps: DowngradesDeps;

  constructor(deps: DowngradesDeps) {
    this.deps = deps;
  }

  /** Resolves with why the cluster cannot be downgraded to the version, if so. */
  async validate(version: string): Promise<ErrorSymbol | undefined> {
    const { cluster } = this.deps;
    const target = targetOf(version);
    if (target === undefined) return 'ErrGRPCWrongDowngradeVersionFormat';
    if (cluster.version === undefined) return 'ErrGRPCClusterVersionUnavailable';
    const unread = await this.catchUp();
    if (unread !== undefined) return unread;
    if (oneBelow(cluster.version) !== target) return 'ErrGRPCInvalidDowngradeTargetVersion';
    return cluster.downgrade.isEnabled ? 'ErrGRPCDowngradeInProcess' : undefined;
  }

  async enable(version: string): Promise<ErrorSymbol | undefined> {
    const refused = (await this.validate(version)) ?? (await this.propose(true, targetOf(version) as string));
    if (refused !== undefined) this.deps.logger.warn('reject downgrade request', { error: errors[refused].message });
    return refused;
  }

  /** Resolves also when there is nothing to cancel, or that cannot be found out: etcd's answer is the same then. */
  async cancel(): Promise<void> {
    const unread = await this.catchUp();
    const { isEnabled } = this.deps.cluster.downgrade;
    const failure = unread ?? (isEnabled ? await this.propose(false, '') : 'ErrGRPCNoInflightDowngrade');
    if (failure !== undefined) this.deps.logger.warn('failed to cancel downgrade', { error: errors[failure].message });
  }

  private propose(enabled: boolean, ver: string): Promise<ErrorSymbol | undefined> {
    const request = membershippb.DowngradeInfoSetRequest.create({ enabled, ver });
    const bytes = membershippb.DowngradeInfoSetRequest.encode(request);
    return proposeRequest(this.deps.proposals, RequestField.downgradeInfoSet, bytes);
  }

  private catchUp(): Promise<ErrorSymbol | undefined> {
    return new Promise((resolve) => {
      this.deps.reads.linearizableRead({ readable: () => resolve(undefined), failed: resolve });
    });
  }
}

/** As `3.6.0`, of `3.6` or `3.6.1`; undefined when it is neither. */
function targetOf(version: string): string | undefined {
  return /^\d+\.\d+(?:\.\d+(?:[-+].*)?)?$/.test(version) ? minorOf(version) : undefined;
}
