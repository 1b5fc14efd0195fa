import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '@quorate/base';
import { formatDuration } from 'quorate';
import type { Endpoint, EndpointPicker } from './endpoint-picker.ts';

export interface ForwarderOptions {
  readonly host: string;
  readonly port: number;
  /** Between two attempts to reach a server that was not reached. */
  readonly retryDelayMs: number;
}

export interface Forwarder {
  readonly port: number;
  /** Cuts all connections. */
  stop(): Promise<void>;
}

const addressOf = ({ host, port }: Endpoint): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** Listens and hands each connection on to a server, byte for byte. Rejects when it cannot listen. */
export async function startForwarder(
  logger: Logger,
  picker: EndpointPicker,
  options: ForwarderOptions,
): Promise<Forwarder> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const interval = formatDuration(options.retryDelayMs);
  // Who has said all may still listen.
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (incoming) => {
    keep(incoming).on('error', () => incoming.destroy());
    forward(incoming);
  });
  const forward = (incoming: Socket): void => {
    const endpoint = picker.pick();
    if (endpoint === undefined || incoming.destroyed) {
      incoming.destroy();
      return;
    }
    const outgoing = keep(connect({ host: endpoint.host, port: endpoint.port, allowHalfOpen: true, noDelay: true }));
    const onFailed = (error: Error) => {
      picker.deactivate(endpoint);
      logger.warn('deactivated endpoint', { address: addressOf(endpoint), interval, error: error.message });
      forward(incoming);
    };
    outgoing.once('error', onFailed);
    outgoing.once('connect', () => {
      outgoing.off('error', onFailed);
      if (incoming.destroyed) outgoing.destroy();
      else join(incoming, outgoing);
    });
  };
  const retry = setInterval(() => {
    for (const endpoint of picker.resting) tryAgain(logger, picker, endpoint, interval, keep);
  }, options.retryDelayMs);
  try {
    await listening(server, options);
  } catch (error) {
    clearInterval(retry);
    throw error;
  }
  return {
    port: (server.address() as { port: number }).port,
    stop: () => {
      clearInterval(retry);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      return closed;
    },
  };
}

function listening(server: Server, { host, port }: ForwarderOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      server.on('error', () => {});
      resolve();
    });
  });
}

/** Each takes what the other sends, at the pace of the slower; when one is gone so is the other. */
function join(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.on('error', () => to.destroy());
    from.once('close', () => to.destroySoon());
    from.pipe(to);
  }
}

function tryAgain(
  logger: Logger,
  picker: EndpointPicker,
  endpoint: Endpoint,
  interval: string,
  keep: (socket: Socket) => Socket,
): void {
  const socket = keep(connect({ host: endpoint.host, port: endpoint.port }));
  const address = addressOf(endpoint);
  socket.once('connect', () => {
    socket.destroy();
    picker.activate(endpoint);
    logger.info('activated', { address });
  });
  socket.once('error', (error) => {
    const message = 'failed to activate endpoint (stay inactive for another interval)';
    logger.warn(message, { address, interval, error: error.message });
  });
}
