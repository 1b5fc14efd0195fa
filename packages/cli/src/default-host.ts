import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

const routeTable = '/proc/net/route';

/**
 * The IPv4 address of the interface that the default route goes out by.
 * @throws Error where there is none or it cannot be known (other systems than Linux)
 */
export function detectDefaultHost(): string {
  if (process.platform !== 'linux') throw new Error(`default host not supported on ${process.platform}`);
  const route = defaultInterface(readFileSync(routeTable, 'utf8'));
  const address = networkInterfaces()[route ?? '']?.find(({ family }) => family === 'IPv4');
  if (!address) throw new Error('could not find default route');
  return address.address;
}

/** Name of the interface of the default route in the kernel's table. */
export function defaultInterface(table: string): string | undefined {
  const rows = table.split('\n').slice(1);
  const columns = rows.map((row) => row.split('\t'));
  return columns.find(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')?.[0];
}
