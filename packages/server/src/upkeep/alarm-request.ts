import { etcdserverpb } from '@quorate/api';

/** The request that raises or lowers an alarm. */
export function encodeAlarm(memberId: bigint, alarm: etcdserverpb.AlarmType, isRaised: boolean): Uint8Array {
  const { AlarmAction } = etcdserverpb;
  const action = isRaised ? AlarmAction.ACTIVATE : AlarmAction.DEACTIVATE;
  return etcdserverpb.AlarmRequest.encode(etcdserverpb.AlarmRequest.create({ action, memberId, alarm }));
}
