import { nextBelow, type Random } from '@quorate/base';
import type { Connection } from '../grpc/connection.ts';
import { sleep } from '../support/text.ts';
import type { Change } from './history.ts';
import type { Ledger } from './ledger.ts';

const KEYS = 12;
const GROUP_KEYS = 3;
const PAUSE_AFTER_FAILURE_MS = 100;

/** A client with its own keys that goes from member to member when one fails, and never repeats a write. */
export class Writer {
  private readonly name: string;
  private readonly random: Random;
  private readonly ledger: Ledger;
  private readonly pauseMs: number;
  private sequence = 0;
  /** Keys that are surely there. */
  private readonly present = new Set<string>();

  constructor(name: string, random: Random, ledger: Ledger, pauseMs = 0) {
    this.name = name;
    this.random = random;
    this.ledger = ledger;
    this.pauseMs = pauseMs;
  }

  private next(): readonly Change[] {
    const value = `${this.name}:${++this.sequence}`;
    const form = nextBelow(this.random, 100);
    if (form < 75) return [{ key: `${this.name}/k${nextBelow(this.random, KEYS)}`, value }];
    const [key] = this.present;
    if (form < 85 && key !== undefined) return [{ key, value: undefined }];
    return Array.from({ length: GROUP_KEYS }, (_, index) => ({ key: `${this.name}/g${index}`, value }));
  }

  /** Writes until told to stop; `connections` are those of the members it may ask, asked anew for every write. */
  async run(connections: () => readonly Connection[], stop: () => boolean): Promise<void> {
    let connection: Connection | undefined;
    let lastSuccessMs = Date.now();
    while (!stop()) {
      const open = connections();
      if (connection === undefined || !open.includes(connection))
        connection = open[nextBelow(this.random, open.length)];
      if (connection === undefined || !(await this.write(connection))) {
        connection = undefined;
        await sleep(nextBelow(this.random, PAUSE_AFTER_FAILURE_MS));
        continue;
      }
      const nowMs = Date.now();
      this.ledger.longestGapMs = Math.max(this.ledger.longestGapMs, nowMs - lastSuccessMs);
      lastSuccessMs = nowMs;
      if (this.pauseMs > 0) await sleep(nextBelow(this.random, this.pauseMs));
    }
  }

  private async write(connection: Connection): Promise<boolean> {
    const changes = this.next();
    const { ok } = await this.ledger.send(connection, this.name, changes);
    for (const { key, value } of changes) {
      if (ok && value !== undefined) this.present.add(key);
      else this.present.delete(key);
    }
    return ok;
  }
}
