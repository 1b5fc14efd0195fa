import type { Random } from '@quorate/base';
import type { Machine } from '../cluster/machine.ts';
import type { Network } from '../network/network.ts';
import type { ClientPort } from './client-port.ts';

/** What a client of any kind works with. */
export interface ClientDeps<Kept> {
  readonly port: ClientPort;
  readonly network: Network;
  /** Its own. */
  readonly random: Random;
  readonly machines: readonly Machine[];
  /** Keeps what the client did or saw, for the checkers. */
  readonly record: (one: Kept) => void;
}
