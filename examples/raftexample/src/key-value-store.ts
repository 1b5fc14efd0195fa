import { utf8FromBytes, utf8ToBytes } from '@quorate/base';

/** A store as it stands in a snapshot. */
export type StoreSnapshot = readonly (readonly [key: string, value: string])[];

/**
 * The state machine: what the cluster is for. Only committed entries change it, in the order of the log, so that it comes to be the same
 * on every node. For that `apply` must depend on nothing but the store and the entry: no clock, no random number, no file.
 */
export class KeyValueStore {
  private values = new Map<string, string>();

  /** What this node has applied; another may be ahead. */
  get(key: string): string | undefined {
    return this.values.get(key);
  }

  /** @param command a committed entry's bytes, made by {@link encodePut} */
  apply(command: Uint8Array): void {
    const { key, value } = JSON.parse(utf8FromBytes(command)) as Put;
    this.values.set(key, value);
  }

  /** All of it: with this, the entries before are not needed any more. */
  snapshot(): StoreSnapshot {
    return [...this.values];
  }

  restore(snapshot: StoreSnapshot): void {
    this.values = new Map(snapshot);
  }
}

interface Put {
  readonly key: string;
  readonly value: string;
}

/** The command that sets a key. This is what is proposed: Raft carries the bytes to every node and never looks into them. */
export function encodePut(key: string, value: string): Uint8Array {
  return utf8ToBytes(JSON.stringify({ key, value } satisfies Put));
}
