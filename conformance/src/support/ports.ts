import { type AddressInfo, createServer, type Server } from 'node:net';

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Finds `count` free loopback ports. All are held at once, so that they differ; they are released before return. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map(close));
  return ports;
}

// Below the range the system takes the local ports of outgoing connections from.
const LASTING_PORT_FIRST = 12_000;
const LASTING_PORTS = 20_000;
const LASTING_PORT_STEP = 7919;
const given = new Set<number>();

/**
 * Free loopback ports for servers that come back on the same port again and again: an outgoing connection of the many a
 * cluster makes cannot take them meanwhile. None is given twice in a run.
 */
export async function lastingPorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  // Runs at the same time begin in different places.
  let at = (process.pid * LASTING_PORT_STEP + given.size) % LASTING_PORTS;
  for (let tried = 0; ports.length < count; tried++) {
    if (tried > LASTING_PORTS) throw new Error('no free ports');
    const port = LASTING_PORT_FIRST + at;
    at = (at + 1) % LASTING_PORTS;
    if (given.has(port)) continue;
    given.add(port);
    try {
      await close(await listen(port));
      ports.push(port);
    } catch {
      // Taken by another process: the next.
    }
  }
  return ports;
}
