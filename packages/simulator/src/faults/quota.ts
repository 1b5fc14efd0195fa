import { etcdserverpb, services } from '@quorate/api';
import { type Random, utf8ToBytes } from '@quorate/base';
import { ClientPort, type Login, textOf } from '../clients/client-port.ts';
import type { World } from '../cluster/world.ts';
import type { Scenario } from '../scenario.ts';
import { between, chance } from '../world/random-sources.ts';
import type { Admin } from './admin.ts';
import type { AlarmDuty } from './alarm-duty.ts';

/** Of scenarios in which no disk forgets what it was given. */
const quotaRate = 0.1;
/** More than all keys of clients with big values, compacted and defragmented; less than what a run writes. */
const quotaBytes = [140_000, 240_000] as const;
const flag = '--quota-backend-bytes=';
const lookMs = 300;
const timeoutMs = 5_000;

const { NOSPACE } = etcdserverpb.AlarmType;

/** The databases of some scenarios may not become big, and their clients like big values. */
export function withQuota(random: Random, scenario: Scenario): Scenario {
  const hasDecay = scenario.faults.some(({ kind }) => kind === 'rot-database' || kind === 'misdirect');
  if (!chance(random, quotaRate) || hasDecay) return scenario;
  const own = `${flag}${Math.floor(between(random, ...quotaBytes))}`;
  return { ...scenario, taste: 'big', flags: scenario.flags.map((flags) => [...flags, own]) };
}

export function hasQuota({ flags }: Scenario): boolean {
  return flags.some((own) => own.some((text) => text.startsWith(flag)));
}

/** What people do whose cluster has run out of space, whenever it has; in the end until every member takes a write. */
export async function keepRoom(
  world: World,
  { admin, duty, login }: { admin: Admin; duty: AlarmDuty; login: Login | undefined },
  isOver: () => boolean,
): Promise<void> {
  const { scheduler, machines, trace, network } = world;
  while (!isOver()) {
    await scheduler.delay(lookMs);
    const raised = await duty.list(NOSPACE);
    if (raised !== undefined && raised.length > 0) await makeRoom(world, admin, duty);
  }
  const port = new ClientPort('room', network, login);
  for (const machine of machines) {
    const put = etcdserverpb.PutRequest.create({ key: utf8ToBytes(`q/${machine.name}`) });
    for (;;) {
      const outcome = await port.call(machine, services.KV.methods.Put, put, { timeoutMs });
      trace.note('room', `put at ${machine.name}: ${textOf(outcome)}`);
      if (outcome.kind === 'ok') break;
      await scheduler.delay(lookMs);
      await makeRoom(world, admin, duty);
    }
  }
  while (!(await duty.lower(NOSPACE))) await scheduler.delay(lookMs);
}

async function makeRoom({ machines }: World, admin: Admin, duty: AlarmDuty): Promise<void> {
  const asked = machines.find(({ isServing }) => isServing);
  if (asked !== undefined) await admin.compact(asked, 0);
  for (const machine of machines) if (machine.isServing) await admin.defragment(machine);
  await duty.lower(NOSPACE);
}
