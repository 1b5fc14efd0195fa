import { nextBelow } from '@quorate/base';
import type { Machine } from '../cluster/machine.ts';
import type { World } from '../cluster/world.ts';
import { sourceOf } from '../world/random-sources.ts';

/** Until the machine is started again. */
const downMs = 50;

/**
 * Bits of a log segment or a snapshot file of a machine invert while it is down. Only where that can be made good: one machine at a
 * time, of three or more that are all there, since what one has lost the others must still have.
 */
export async function rot(world: World, machine: Machine, bits: number, seed: number): Promise<void> {
  const { machines, rotten, scheduler, trace } = world;
  if (machines.length < 3 || rotten.size > 0 || !machines.every(({ isServing }) => isServing)) return;
  rotten.add(machine);
  world.retire(machine);
  machine.recover('process');
  const random = sourceOf(seed, `rot ${machine.name} ${machine.currentLife}`);
  const { disk } = machine.disk;
  const files: string[] = [];
  for (const [folder, ending] of [
    ['wal', '.wal'],
    ['snap', '.snap'],
  ] as const) {
    const path = `${machine.name}.etcd/member/${folder}`;
    for (const name of await disk.list(path)) if (name.endsWith(ending)) files.push(`${path}/${name}`);
  }
  const path = files[nextBelow(random, files.length)] as string;
  const size = (await disk.readFile(path)).length;
  for (let i = 0; i < bits && size > 0; i++) {
    const position = nextBelow(random, size);
    disk.rot(path, position, 1 << nextBelow(random, 8));
    trace.note(machine.name, `rot in ${path} at ${position}`);
  }
  await scheduler.delay(downMs);
  world.employ(machine);
}
