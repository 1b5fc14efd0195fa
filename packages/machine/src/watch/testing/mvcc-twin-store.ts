import { latin1ToBytes, type Random, silentLogger } from '@quorate/base';
import { createMemoryBackend } from '@quorate/storage';
import type { ChangeSink, History } from '../../mvcc/contract.ts';
import { MvccStore } from '../../mvcc/store.ts';
import type { ManualClock } from './manual-clock.ts';
import { type NaiveOperation, NaiveStore } from './naive-store.ts';

const put = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };

/** The real store, with the naive one beside it for what the watchers are to see. */
export class MvccTwinStore extends NaiveStore {
  private readonly real: MvccStore;

  constructor(clock: ManualClock, random: Random) {
    super();
    this.real = new MvccStore(
      { backend: createMemoryBackend({ clock }), clock, random, logger: silentLogger },
      { compactionBatch: 5, compactionPauseMs: 10 },
    );
  }

  override get history(): History {
    return this.real;
  }

  override setSink(sink: ChangeSink): void {
    this.real.setSink(sink);
  }

  override write(operations: readonly NaiveOperation[]): void {
    super.write(operations);
    this.real.begin();
    for (const operation of operations) {
      if ('put' in operation) {
        const key = latin1ToBytes(operation.put);
        this.real.putRequest({ ...put, key, value: latin1ToBytes(operation.value) });
      } else this.real.deleteRange(latin1ToBytes(operation.delete), new Uint8Array(0), false);
    }
    this.real.end();
    if (this.real.currentRevision !== this.currentRevision) throw new Error('the stores disagree on the revision');
  }

  override compact(revision: number): void {
    super.compact(revision);
    this.real.compact(revision);
  }
}
