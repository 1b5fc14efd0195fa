import { nextBelow, type Random } from '@quorate/base';
import type { Message } from '../grpc/services.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { sleep } from '../support/text.ts';
import type { Ledger } from './ledger.ts';

/**
 * A key one client writes increasing numbers to, one at a time, until a write fails: it may still happen later, so the
 * register is not written again. A read then is linearizable when it sees no less than what was acknowledged, or seen by a
 * read that had ended, before it began, and no more than was ever sent.
 */
export class Register {
  readonly key: string;
  sent = 0;
  acknowledged = 0;
  private seen = 0;

  constructor(key: string) {
    this.key = key;
  }

  /** What a read that begins now must see at least. */
  floor(): number {
    return Math.max(this.acknowledged, this.seen);
  }

  /** Judges what a read saw; 0 is "no such key". */
  judge(floor: number, found: number): string | undefined {
    this.seen = Math.max(this.seen, found);
    if (found < floor) return `${this.key} is ${found}: stale, ${floor} was there before the read began`;
    if (found > this.sent) return `${this.key} is ${found}, and only ${this.sent} were written`;
    return undefined;
  }
}

/** The registers that are read: every client's present one and some that ended. */
export class Registers {
  private readonly present: Register[] = [];
  private static readonly max = 30;

  open(key: string): Register {
    const register = new Register(key);
    this.present.push(register);
    if (this.present.length > Registers.max) this.present.shift();
    return register;
  }

  pick(random: Random): Register | undefined {
    return this.present[nextBelow(random, this.present.length)];
  }
}

export interface ReadCounts {
  answered: number;
  failed: number;
  stale: number;
}

const READ_TIMEOUT_MS = 2500;
const PAUSE_MS = 8;
const PAUSE_AFTER_FAILURE_MS = 60;

/** Writes one register after the other. */
export async function writeRegisters(
  name: string,
  registers: Registers,
  ledger: Ledger,
  random: Random,
  members: () => readonly ClusterMember[],
  stop: () => boolean,
): Promise<void> {
  let generation = 0;
  let register = registers.open(`r/${name}/${generation}`);
  while (!stop()) {
    const open = members();
    const member = open[nextBelow(random, open.length)];
    if (member === undefined) throw new Error('no member to write to');
    const value = String(++register.sent);
    const answer = await ledger.send(member.connection, name, [{ key: register.key, value }]);
    if (answer.ok) {
      register.acknowledged = register.sent;
      await sleep(nextBelow(random, PAUSE_MS));
    } else {
      register = registers.open(`r/${name}/${++generation}`);
      await sleep(nextBelow(random, PAUSE_AFTER_FAILURE_MS));
    }
  }
}

/** Reads registers at one member. A linearizable read that is stale is a problem; a serializable one is counted. */
export async function readRegisters(
  member: ClusterMember,
  serializable: boolean,
  registers: Registers,
  random: Random,
  counts: ReadCounts,
  problems: string[],
  stop: () => boolean,
): Promise<void> {
  while (!stop()) {
    const register = registers.pick(random);
    if (register === undefined) throw new Error('no register to read');
    const floor = register.floor();
    const answer = await member.call('KV.Range', { key: Buffer.from(register.key), serializable }, READ_TIMEOUT_MS);
    if (!answer.ok) {
      counts.failed++;
      await sleep(nextBelow(random, PAUSE_AFTER_FAILURE_MS));
      continue;
    }
    counts.answered++;
    const [kv] = answer.message.kvs as Message[];
    const found = kv === undefined ? 0 : Number((kv.value as Buffer).toString());
    if (serializable) {
      if (found < floor) counts.stale++;
    } else {
      const problem = register.judge(floor, found);
      if (problem !== undefined) problems.push(`read at ${member.name}: ${problem}`);
    }
    await sleep(nextBelow(random, PAUSE_MS));
  }
}
