import { errors, etcdserverpb } from '@quorate/api';
import type { Logger } from '@quorate/base';
import type { AlarmStore, Quota } from '@quorate/machine';
import { type Proposals, proposeRequest, RequestField } from '../rpc/proposals.ts';
import { encodeAlarm } from './alarm-request.ts';

export interface NoSpaceReliefDeps {
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly alarms: Pick<AlarmStore, 'list'>;
  readonly proposals: Proposals;
  readonly quota: Pick<Quota, 'allows' | 'bytes'>;
}

/** Part of the quota that must be free, so that the alarm does not come back with the next few writes. */
const freeShare = 0.1;

/**
 * Lowers this member's NOSPACE alarm once its database has room again, after a defragmentation or under a larger quota. Each member
 * judges for itself: nobody else knows its size and its quota. (etcd leaves it to the operator, and so do we by default.)
 */
export async function relieveNoSpace(deps: NoSpaceReliefDeps): Promise<void> {
  const { logger, memberId, alarms, proposals, quota } = deps;
  const { NOSPACE } = etcdserverpb.AlarmType;
  const isRaised = alarms.list(NOSPACE).some((alarm) => alarm.memberId === memberId);
  if (!isRaised || !quota.allows(quota.bytes * freeShare)) return;
  const fields = { 'quota-size-bytes': quota.bytes };
  logger.info('the database has room again; disarming alarm NOSPACE', fields);
  const refused = await proposeRequest(proposals, RequestField.alarm, encodeAlarm(memberId, NOSPACE, false));
  if (refused !== undefined)
    logger.warn('failed to disarm alarm NOSPACE', { ...fields, error: errors[refused].message });
}
