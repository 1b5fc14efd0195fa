import type { Clock, Logger } from '@quorate/base';
import type { PeerDialer } from '../peer-edge.ts';
import type { PeerLimits } from '../peer-limits.ts';
import type { RaftPeerSource } from '../peer-source.ts';
import type { LocalPeer } from '../protocol/headers.ts';
import type { PeerMetrics } from './peer-metrics.ts';
import type { QuietWarnings } from './quiet-warnings.ts';
import type { Reports } from './reports.ts';

/** What the parts of a transport share. */
export interface PeerContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly warnings: QuietWarnings;
  readonly metrics: PeerMetrics;
  readonly dialer: PeerDialer;
  readonly limits: PeerLimits;
  readonly source: RaftPeerSource;
  readonly reports: Reports;
  readonly local: LocalPeer;
  /** Another member said that this one is removed. */
  readonly toldRemoved: () => void;
}
