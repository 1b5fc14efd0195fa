import { nextBelow, type Random } from '@quorate/base';
import type { Machine } from '../cluster/machine.ts';
import type { World } from '../cluster/world.ts';
import { sourceOf } from '../world/random-sources.ts';

/** Until the machine is started again. */
const downMs = 50;
/** Draws for a byte of a database that is not zero: most of the file may be pages that nobody uses. */
const drawsMax = 50;

/** Whether a machine can lose what is on its disk: one at a time, of three or more that are all there, since the others must still have it. */
export function mayDecay({ machines, rotten }: World): boolean {
  return machines.length >= 3 && rotten.size === 0 && machines.every(({ isServing }) => isServing);
}

/** Bits of a log segment or a snapshot file of a machine invert while it is down. */
export async function rot(world: World, machine: Machine, bits: number, seed: number): Promise<void> {
  if (!mayDecay(world)) return;
  world.rotten.add(machine);
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
  const { length } = await disk.readFile(path);
  invert(world, machine, path, random, bits, () => (length > 0 ? nextBelow(random, length) : undefined));
  await returnLater(world, machine);
}

/** Bits of a machine's database invert while it is down. What its member says from then on is in doubt. */
export async function rotDatabase(world: World, machine: Machine, bits: number, seed: number): Promise<void> {
  world.doubt(machine);
  world.retire(machine);
  machine.recover('process');
  const random = sourceOf(seed, `rot database ${machine.name} ${machine.currentLife}`);
  const path = databaseOf(machine);
  const bytes = await machine.disk.disk.readFile(path);
  invert(world, machine, path, random, bits, () => {
    for (let draws = 0; draws < drawsMax; draws++) {
      const position = nextBelow(random, bytes.length);
      if (bytes[position] !== 0) return position;
    }
    return undefined;
  });
  await returnLater(world, machine);
}

/** Starts the machine, unless an administrator has put a new member on it meanwhile, whom the cluster does not know yet. */
async function returnLater(world: World, machine: Machine): Promise<void> {
  await world.scheduler.delay(downMs);
  if (world.rotten.has(machine)) world.employ(machine);
}

export function databaseOf({ name }: Machine): string {
  return `${name}.etcd/member/snap/db`;
}

function invert(
  { trace }: World,
  machine: Machine,
  path: string,
  random: Random,
  bits: number,
  draw: () => number | undefined,
): void {
  for (let i = 0; i < bits; i++) {
    const position = draw();
    if (position === undefined) continue;
    machine.disk.disk.rot(path, position, 1 << nextBelow(random, 8));
    trace.note(machine.name, `rot in ${path} at ${position}`);
  }
}
