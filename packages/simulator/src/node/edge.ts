import { createHash } from 'node:crypto';
import type { WorldEdge } from '../cluster/world.ts';
import type { TraceListener } from '../world/trace.ts';
import { pump } from './pump.ts';

/** What a simulation takes from this process. */
export function nodeEdge(onTrace?: TraceListener): WorldEdge {
  return {
    pump,
    digest: () => {
      const hash = createHash('sha256');
      return { update: (text) => void hash.update(text), finish: () => hash.digest('hex') };
    },
    sha1: (bytes) => createHash('sha1').update(bytes).digest(),
    sha256: () => {
      const hash = createHash('sha256');
      return { update: (bytes) => void hash.update(bytes), finish: () => hash.digest() };
    },
    ...(onTrace === undefined ? {} : { onTrace }),
  };
}
