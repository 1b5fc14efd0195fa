import { createServer, type Server, Socket } from 'node:net';
import { lastingPorts } from './ports.ts';

/**
 * The network between the members of a cluster, so that it can be broken: each member advertises a proxy of this process as
 * its peer URL and listens elsewhere.
 *
 * What is cut is a direction between two members, not a connection: messages from A to B travel both in the requests A makes
 * and in the answers B's requests get (peer streams are opened by the one who reads them). Bytes of a cut direction are held,
 * as a network that loses packets does to TCP, and arrive when it is healed, unless the members gave the connection up before.
 * Who opened a connection is read from the `X-Server-From` header of the first request on it that has one.
 */
export class PeerNetwork {
  private readonly nodes = new Map<string, Node>();
  private readonly names = new Map<string, string>();
  private readonly wires = new Set<Wire>();
  private readonly broken = new Set<string>();
  private readonly delays = new Map<string, number>();

  /** Puts a proxy in front of a member's peer port; its own port is the one to advertise. */
  async add(name: string, targetPort: number): Promise<number> {
    const [port] = await lastingPorts(1);
    if (port === undefined) throw new Error('no free port');
    const server = createServer((socket) => this.accept(socket, name, targetPort));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    this.nodes.set(name, { name, server });
    return port;
  }

  /** Members name themselves by id (hex) on the wire. */
  identify(id: string, name: string): void {
    this.names.set(id, name);
  }

  /** Holds what goes from one member to another from now on. With `reset` the connections between both end at once as well. */
  cut(from: string, to: string, options: { readonly reset?: boolean } = {}): void {
    this.broken.add(link(from, to));
    if (options.reset !== true) return;
    for (const wire of this.wires) {
      const owner = wire.owner === undefined ? undefined : this.names.get(wire.owner);
      if (owner !== undefined && [owner, wire.target].sort().join() === [from, to].sort().join()) wire.destroy();
    }
  }

  /** Cuts a member off from all others, both ways or one. */
  isolate(name: string, direction: 'both' | 'in' | 'out', options: { readonly reset?: boolean } = {}): void {
    for (const other of this.nodes.keys()) {
      if (other === name) continue;
      if (direction !== 'in') this.cut(name, other, options);
      if (direction !== 'out') this.cut(other, name, options);
    }
  }

  /** All directions work again, without delay. */
  heal(): void {
    this.broken.clear();
    this.delays.clear();
    for (const wire of this.wires) wire.wake();
  }

  /** Everything between any two members takes this much longer, each way. */
  delayAll(milliseconds: number): void {
    for (const from of this.nodes.keys()) {
      for (const to of this.nodes.keys()) if (from !== to) this.delays.set(link(from, to), milliseconds);
    }
  }

  async close(): Promise<void> {
    for (const wire of this.wires) wire.destroy();
    const closing = [...this.nodes.values()].map(({ server }) => new Promise((resolve) => server.close(resolve)));
    await Promise.all(closing);
    this.nodes.clear();
  }

  private accept(client: Socket, target: string, targetPort: number): void {
    const wire: Wire = new Wire(client, target, targetPort, {
      isBroken: (owner, direction) => this.isBroken(owner, target, direction),
      delayMs: (owner, direction) => this.delayMs(owner, target, direction),
      ended: () => this.wires.delete(wire),
    });
    this.wires.add(wire);
  }

  private isBroken(ownerId: string | undefined, target: string, direction: Direction): boolean {
    const owner = ownerId === undefined ? undefined : this.names.get(ownerId);
    if (owner !== undefined) {
      return this.broken.has(direction === 'request' ? link(owner, target) : link(target, owner));
    }
    // Nobody knows whose it is (probing, version, member list): held when it cannot come from anybody.
    const others = [...this.nodes.keys()].filter((name) => name !== target);
    return others.every((name) => this.broken.has(direction === 'request' ? link(name, target) : link(target, name)));
  }

  private delayMs(ownerId: string | undefined, target: string, direction: Direction): number {
    const owner = ownerId === undefined ? undefined : this.names.get(ownerId);
    if (owner === undefined) return 0;
    return this.delays.get(direction === 'request' ? link(owner, target) : link(target, owner)) ?? 0;
  }
}

interface Node {
  readonly name: string;
  readonly server: Server;
}

type Direction = 'request' | 'answer';

function link(from: string, to: string): string {
  return `${from} > ${to}`;
}

interface WireRules {
  isBroken(ownerId: string | undefined, direction: Direction): boolean;
  delayMs(ownerId: string | undefined, direction: Direction): number;
  ended(): void;
}

const OWNER_HEADER = /\r\nx-server-from: *([0-9a-f]+)\r\n/i;
const OWNER_HEADER_BYTES_MAX = 64;

/** One connection through a proxy. */
class Wire {
  readonly target: string;
  /** Id of the member that opened it, once known; one process opened it, so it stays the same. */
  owner: string | undefined;
  private readonly client: Socket;
  private readonly server: Socket;
  private readonly requests: Pump;
  private readonly answers: Pump;
  private scanned = '';

  constructor(client: Socket, target: string, targetPort: number, rules: WireRules) {
    this.target = target;
    this.client = client;
    this.server = new Socket();
    this.requests = new Pump(client, this.server, {
      held: () => rules.isBroken(this.owner, 'request'),
      delayMs: () => rules.delayMs(this.owner, 'request'),
      look: (chunk) => this.look(chunk),
    });
    this.answers = new Pump(this.server, client, {
      held: () => rules.isBroken(this.owner, 'answer'),
      delayMs: () => rules.delayMs(this.owner, 'answer'),
      look: () => undefined,
    });
    for (const socket of [client, this.server]) {
      socket.setNoDelay(true);
      // How a connection ends is told by 'close', which follows.
      socket.on('error', () => undefined);
    }
    client.on('close', () => {
      this.requests.finish();
      if (this.server.destroyed) rules.ended();
    });
    this.server.on('close', () => {
      this.answers.finish();
      if (client.destroyed) rules.ended();
    });
    this.server.connect(targetPort, '127.0.0.1');
  }

  private look(chunk: Buffer): void {
    if (this.owner !== undefined) return;
    const text = this.scanned + chunk.toString('latin1');
    this.owner = OWNER_HEADER.exec(text)?.[1];
    this.scanned = this.owner === undefined ? text.slice(-OWNER_HEADER_BYTES_MAX) : '';
  }

  wake(): void {
    this.requests.drain();
    this.answers.drain();
  }

  destroy(): void {
    this.client.destroy();
    this.server.destroy();
  }
}

interface PumpRules {
  held(): boolean;
  delayMs(): number;
  look(chunk: Buffer): void;
}

/** While more than this waits, the sender is no longer read: it feels the broken network as TCP lets it. */
const WAITING_BYTES_MAX = 256 * 1024;

/** Moves bytes from one socket to another, in order, when they may. */
class Pump {
  private readonly source: Socket;
  private readonly sink: Socket;
  private readonly rules: PumpRules;
  private readonly waiting: { readonly chunk: Buffer; readonly dueMs: number }[] = [];
  private waitingBytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private finished = false;

  constructor(source: Socket, sink: Socket, rules: PumpRules) {
    this.source = source;
    this.sink = sink;
    this.rules = rules;
    source.on('data', (chunk: Buffer) => {
      rules.look(chunk);
      this.waiting.push({ chunk, dueMs: Date.now() + rules.delayMs() });
      this.waitingBytes += chunk.length;
      this.drain();
      if (this.waitingBytes > WAITING_BYTES_MAX) source.pause();
    });
    sink.on('drain', () => this.drain());
  }

  /** The source is gone. That travels as the bytes do: behind them, and not through a broken network. */
  finish(): void {
    this.finished = true;
    this.drain();
  }

  drain(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.sink.destroyed) {
      // Nobody is there to read it. The source learns that the way the other direction's end travels.
      this.waiting.length = 0;
      this.waitingBytes = 0;
      this.source.resume();
      return;
    }
    while (!this.rules.held() && !this.sink.writableNeedDrain) {
      const next = this.waiting[0];
      if (next === undefined) break;
      const leftMs = next.dueMs - Date.now();
      if (leftMs > 0) {
        this.timer = setTimeout(() => this.drain(), leftMs);
        return;
      }
      this.waiting.shift();
      this.waitingBytes -= next.chunk.length;
      this.sink.write(next.chunk);
    }
    if (this.waitingBytes <= WAITING_BYTES_MAX) this.source.resume();
    if (this.finished && this.waiting.length === 0 && !this.rules.held()) this.sink.destroySoon();
  }
}
