import { etcdserverpb } from '@quorate/api';
import type { Machine } from '../cluster/machine.ts';
import type { World } from '../cluster/world.ts';
import type { Admin } from './admin.ts';
import type { AlarmDuty } from './alarm-duty.ts';

const lookMs = 500;
/** A check that was under way when the member went may raise its alarm so long afterwards. */
const lateMs = 2_000;

const { CORRUPT } = etcdserverpb.AlarmType;

/**
 * What an administrator does about a machine in doubt. Its member refuses to start, or gives up, which {@link World.onRottenDown} hears of;
 * or a check of the others raises the alarm; or, after `forMs`, it is replaced without a sign.
 */
export async function watchOver(
  world: World,
  admin: Admin,
  duty: AlarmDuty,
  machine: Machine,
  forMs: number,
): Promise<void> {
  const { scheduler, doubts } = world;
  const untilMs = scheduler.nowMs + forMs;
  while (doubts.has(machine) && scheduler.nowMs < untilMs) {
    await scheduler.delay(lookMs);
    const raised = await duty.list(CORRUPT);
    if (raised === undefined || raised.length === 0) continue;
    world.trace.note('admin', `corrupt: ${raised.map(({ memberId }) => memberId.toString(16)).join(', ')}`);
    break;
  }
  while (doubts.has(machine)) {
    await admin.replace({ machine, asLearner: false, isStale: false });
    if (doubts.has(machine)) await scheduler.delay(lookMs);
  }
  await scheduler.delay(lateMs);
  while (!(await duty.lower(CORRUPT))) await scheduler.delay(lookMs);
}
