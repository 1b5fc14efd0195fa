import type { Clock, Disk, Logger, Random } from '@quorate/base';
import type { WalOptions } from '@quorate/storage';
import type { Passwords } from '../auth/passwords.ts';
import type { TokenProvider } from '../auth/token-provider.ts';
import type { HostResolver } from '../config/url-match.ts';
import type { MetricsRegistry } from '../metrics/registry.ts';
import type { PeerClient } from '../peer/peer-client.ts';
import type { PeerSource } from '../peer/peer-source.ts';
import type { PeerNetwork } from '../replica/peer-network.ts';
import type { RequestSpans } from '../rpc/request-spans.ts';
import type { Digest } from '../rpc/snapshot-streams.ts';
import type { AppliedObserver } from './observed-machine.ts';

/** All that a member takes from outside: the machine's own in a process, simulated ones in a simulation. */
export interface MemberDeps {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  /** Makes the way to the other members, for whom this one is `source`; called once, before the member takes part. */
  readonly connect: (source: PeerSource) => PeerNetwork;
  readonly peerClient: PeerClient;
  readonly resolver: HostResolver;
  readonly tokens: TokenProvider;
  readonly passwords: Passwords;
  readonly sha1: (bytes: Uint8Array) => Uint8Array;
  readonly sha256: () => Digest;
  /** Records what is done for callers; left out, nothing is. */
  readonly spans?: RequestSpans | undefined;
  /** The member cannot go on; called once. Whoever made it stops the process or the simulated machine. */
  readonly onFatal: (error: unknown) => void;
  /** Other segments of the log than a real disk gets. */
  readonly walShape?: Pick<WalOptions, 'segmentBytes' | 'preallocation'>;
  /** The log in memory is cut after so many applied entries; for a simulation, where fewer are made. */
  readonly compactEveryEntries?: number;
  /** Hears of each entry once it is applied; for a simulation, which holds the members against each other. */
  readonly onApplied?: AppliedObserver;
}
