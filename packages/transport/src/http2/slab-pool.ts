import { allocateUnsafe } from '@quorate/base';

/** Bytes of a slab: room for some hundred small answers. */
export const slabBytes = 32_768;

/** Free slabs kept; more are left to the garbage collector. */
const freeSlabsMax = 256;

/** Output slabs shared by all connections of a server or client, so that an idle connection holds none. */
export class SlabPool {
  private readonly free: Uint8Array[] = [];

  take(): Uint8Array {
    return this.free.pop() ?? allocateUnsafe(slabBytes);
  }

  give(slab: Uint8Array): void {
    if (this.free.length < freeSlabsMax) this.free.push(slab);
  }
}
