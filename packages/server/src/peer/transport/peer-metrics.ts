import type { Counter, Gauge, Histogram, Metrics } from '@quorate/base';
import { idText } from '../protocol/headers.ts';

const roundTripBounds = Array.from({ length: 16 }, (_, i) => 0.0001 * 2 ** i);
const snapshotBounds = Array.from({ length: 10 }, (_, i) => 0.1 * 2 ** i);

/** A gauge that is counted up and down. */
export class Tally {
  private readonly gauge: Gauge;
  private value = 0;

  constructor(gauge: Gauge) {
    this.gauge = gauge;
  }

  add(amount: number): void {
    this.value += amount;
    this.gauge.set(this.value);
  }
}

/** Snapshots in one direction. */
export interface SnapshotMetrics {
  readonly successes: Counter;
  readonly failures: Counter;
  readonly inflight: Tally;
  readonly seconds: Histogram;
}

/** etcd's metrics of the network between members. Cells come into being when first used, as there. */
export class PeerMetrics {
  private readonly metrics: Metrics;
  private readonly local: string;
  private readonly cells = new Map<string, unknown>();

  constructor(metrics: Metrics, localId: bigint) {
    this.metrics = metrics;
    this.local = idText(localId);
  }

  known(id: bigint): Gauge {
    return this.gauge('etcd_network_known_peers', 'The current number of known peers.', this.pair(id));
  }

  active(id: bigint): Tally {
    return this.tally('etcd_network_active_peers', 'The current number of active peer connections.', this.pair(id));
  }

  disconnected(id: bigint): Counter {
    return this.counter(
      'etcd_network_disconnected_peers_total',
      'The total number of disconnected peers.',
      this.pair(id),
    );
  }

  sentBytes(id: bigint): Counter {
    return this.counter('etcd_network_peer_sent_bytes_total', 'The total number of bytes sent to peers.', to(id));
  }

  receivedBytes(id: bigint): Counter {
    return this.counter(
      'etcd_network_peer_received_bytes_total',
      'The total number of bytes received from peers.',
      from(id),
    );
  }

  sentFailures(id: bigint): Counter {
    return this.counter(
      'etcd_network_peer_sent_failures_total',
      'The total number of send failures from peers.',
      to(id),
    );
  }

  /** @param sender an id, or the address of a sender that could not be understood */
  receivedFailures(sender: bigint | string): Counter {
    const help = 'The total number of receive failures from peers.';
    return this.counter('etcd_network_peer_received_failures_total', help, from(sender));
  }

  roundTripSeconds(id: bigint): Histogram {
    const help = 'Round-Trip-Time histogram between peers';
    return this.histogram('etcd_network_peer_round_trip_time_seconds', help, roundTripBounds, to(id));
  }

  snapshotSend(id: bigint): SnapshotMetrics {
    return this.snapshots('send', to(id), 'sends', 'Total number of successful snapshot sends');
  }

  /** @param sender an id, or what stands for one that could not be understood */
  snapshotReceive(sender: bigint | string): SnapshotMetrics {
    return this.snapshots('receive', from(sender), 'receives', 'Total number of successful snapshot receives');
  }

  private snapshots(verb: 'send' | 'receive', labels: Labels, noun: string, successHelp: string): SnapshotMetrics {
    const name = `etcd_network_snapshot_${verb}`;
    return {
      successes: this.lazyCounter(`${name}_success`, successHelp, labels),
      failures: this.lazyCounter(`${name}_failures`, `Total number of snapshot ${verb} failures`, labels),
      inflight: this.tally(`${name}_inflights_total`, `Total number of inflight snapshot ${noun}`, labels),
      seconds: {
        observe: (seconds) =>
          this.histogram(
            `${name}_total_duration_seconds`,
            `Total latency distributions of v3 snapshot ${noun}`,
            snapshotBounds,
            labels,
          ).observe(seconds),
      },
    };
  }

  private pair(remote: bigint): Labels {
    return { Local: this.local, Remote: idText(remote) };
  }

  private lazyCounter(name: string, help: string, labels: Labels): Counter {
    return { add: (amount) => this.counter(name, help, labels).add(amount) };
  }

  private counter(name: string, help: string, labels: Labels): Counter {
    return this.cell(name, labels, () => this.metrics.counter(name, help, labels));
  }

  private gauge(name: string, help: string, labels: Labels): Gauge {
    return this.cell(name, labels, () => this.metrics.gauge(name, help, labels));
  }

  private tally(name: string, help: string, labels: Labels): Tally {
    return this.cell(name, labels, () => new Tally(this.metrics.gauge(name, help, labels)));
  }

  private histogram(name: string, help: string, bounds: readonly number[], labels: Labels): Histogram {
    return this.cell(name, labels, () => this.metrics.histogram(name, help, bounds, labels));
  }

  private cell<Cell>(name: string, labels: Labels, make: () => Cell): Cell {
    const key = `${name} ${Object.values(labels).join(' ')}`;
    let cell = this.cells.get(key) as Cell | undefined;
    if (cell === undefined) {
      cell = make();
      this.cells.set(key, cell);
    }
    return cell;
  }
}

type Labels = Readonly<Record<string, string>>;

function to(id: bigint): Labels {
  return { To: idText(id) };
}

function from(sender: bigint | string): Labels {
  return { From: typeof sender === 'string' ? sender : idText(sender) };
}
