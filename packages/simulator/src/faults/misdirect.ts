import type { Machine } from '../cluster/machine.ts';
import type { World } from '../cluster/world.ts';
import type { Fault } from '../scenario.ts';
import { databaseOf } from './rot.ts';

type Misdirect = Extract<Fault, { kind: 'misdirect' }>;

/**
 * A write that the disk calls done goes elsewhere. Until the machine crashes its member knows what it wrote, but not what it overwrote;
 * afterwards it may have a log without entries that it acknowledged, so that it has no vote (see `Doubts`). One that leads then crashes at once,
 * since others do what it says.
 *
 * @param mayBegin asked when it is about to happen
 * @param begun told when it does
 */
export function misdirect(
  world: World,
  machine: Machine,
  fault: Misdirect,
  mayBegin: () => boolean,
  begun: () => void,
): void {
  const { after, skip, byBytes, mode, downMs } = fault;
  const begins = () => {
    if (!mayBegin()) return false;
    world.doubt(machine);
    begun();
    const { currentLife } = machine;
    const crashMs = machine.member?.isLeader() === true ? 0 : fault.crashMs;
    world.scheduler.after(crashMs, () => {
      if (!machine.lives(currentLife)) return;
      world.expectCrash(machine, mode, downMs);
      machine.crash('planned');
    });
    return true;
  };
  const into = fault.into === undefined ? undefined : pathOf(machine, fault.into);
  machine.disk.planned.push({ operation: 'write', skip, after, fault: { byBytes, into }, begins });
}

function pathOf(machine: Machine, what: 'database' | 'log'): string {
  if (what === 'database') return databaseOf(machine);
  return `${machine.name}.etcd/member/wal/0000000000000000-0000000000000000.wal`;
}
