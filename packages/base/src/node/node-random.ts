import { randomFillSync } from 'node:crypto';
import type { Random } from '@quorate/base';

const poolSize = 1024;

/** The system's cryptographic source, drawn in blocks: ids and tokens made from it cannot be guessed. */
export class NodeRandom implements Random {
  private readonly pool = new Uint32Array(poolSize);
  private used = poolSize;

  nextUint32(): number {
    if (this.used === poolSize) {
      randomFillSync(this.pool);
      this.used = 0;
    }
    const value = this.pool[this.used] as number;
    this.pool[this.used++] = 0;
    return value;
  }
}
