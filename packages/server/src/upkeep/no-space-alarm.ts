import { etcdserverpb } from '@quorate/api';
import type { Logger } from '@quorate/base';
import type { AlarmStore, Quota } from '@quorate/machine';
import { type Proposals, RequestField } from '../rpc/proposals.ts';
import { encodeAlarm } from './alarm-request.ts';

export interface NoSpaceAlarmDeps {
  readonly alarms: AlarmStore;
  readonly proposals: Proposals;
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly quota: Quota;
}

/** Calls that wait for the alarm; more are refused before it is raised. */
export const waitingCallsMax = 10_000;

/** Raises the NOSPACE alarm of this member, once however many ask for it. */
export class NoSpaceAlarm {
  private readonly deps: NoSpaceAlarmDeps;
  /** Calls that wait for the alarm that is on its way; undefined when none is. */
  private awaiting: (() => void)[] | undefined;

  constructor(deps: NoSpaceAlarmDeps) {
    this.deps = deps;
  }

  /** A write was done that found the database over its quota. */
  exceeded(): void {
    const { logger, quota } = this.deps;
    logger.warn('message exceeded backend quota; raising alarm', { 'quota-size-bytes': quota.bytes });
    this.raise(() => {});
  }

  /** Raises the alarm unless it is raised; `then` runs once it is, or cannot be. */
  raise(then: () => void): void {
    const { alarms, proposals, memberId } = this.deps;
    if (alarms.hasNoSpace) {
      then();
      return;
    }
    if (this.awaiting !== undefined) {
      if (this.awaiting.length < waitingCallsMax) this.awaiting.push(then);
      else then();
      return;
    }
    this.awaiting = [then];
    const done = () => {
      const waiting = this.awaiting ?? [];
      this.awaiting = undefined;
      for (const callback of waiting) callback();
    };
    proposals.propose(RequestField.alarm, encodeAlarm(memberId, etcdserverpb.AlarmType.NOSPACE, true), {
      applied: done,
      failed: done,
    });
  }
}
