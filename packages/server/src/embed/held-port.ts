import { createServer, type Server, type Socket } from 'node:net';
import { bindServer, type ListenAddress, type Listener } from '@quorate/transport/node';

export interface HeldPortLimits {
  /** Connections at a time; more are cut. */
  readonly connectionsMax: number;
  /** Connections that may wait; when more come, the one that has waited for longest is cut: whoever made it has most likely given up. */
  readonly heldMax: number;
}

const defaultLimits: HeldPortLimits = { connectionsMax: Number.POSITIVE_INFINITY, heldMax: 1024 };

/** A bound address whose connections wait, unread, until there is somebody to serve them. */
export class HeldPort {
  /** As bound; 0 of a unix socket. */
  readonly port: number;
  private readonly listener: Listener;
  private readonly heldMax: number;
  private readonly held = new Set<Socket>();
  private target: { readonly server: Server; readonly isSecure: boolean } | undefined;

  private constructor(listener: Listener, heldMax: number) {
    this.listener = listener;
    this.port = listener.port;
    this.heldMax = heldMax;
    listener.server.on('connection', (socket) => this.accept(socket));
  }

  /** Rejects when the address cannot be bound. */
  static async bind(address: ListenAddress, limits: Partial<HeldPortLimits> = {}): Promise<HeldPort> {
    const { connectionsMax, heldMax } = { ...defaultLimits, ...limits };
    const server = createServer({ noDelay: true, pauseOnConnect: true });
    server.maxConnections = connectionsMax;
    return new HeldPort(await bindServer(server, address), heldMax);
  }

  /** Hands what waits, and all that comes from now on, to a server that is not bound itself. */
  serve(server: Server, isSecure: boolean): void {
    this.target = { server, isSecure };
    // Whoever keeps something as long as the server is open hears of its end.
    this.listener.server.once('close', () => server.emit('close'));
    for (const socket of this.held) {
      socket.off('error', ignore);
      this.accept(socket);
    }
    this.held.clear();
  }

  /** A connection that could not be accepted, for want of memory for example. */
  onError(callback: (error: Error) => void): void {
    this.listener.server.on('error', callback);
  }

  private accept(socket: Socket): void {
    if (this.target === undefined) {
      this.hold(socket);
      return;
    }
    const { server, isSecure } = this.target;
    server.emit('connection', socket);
    // TLS reads from below the socket.
    if (!isSecure) socket.resume();
  }

  private hold(socket: Socket): void {
    socket.on('error', ignore);
    this.held.add(socket);
    if (this.held.size <= this.heldMax) return;
    const [oldest] = this.held;
    if (oldest === undefined) return;
    this.held.delete(oldest);
    oldest.destroy();
  }

  /** Accepts no more, and cuts what waits; connections that are served stay. */
  async close(): Promise<void> {
    await this.listener.close();
    for (const socket of this.held) socket.destroy();
    this.held.clear();
  }
}

function ignore(): void {}
