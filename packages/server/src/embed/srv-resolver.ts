import { lookup, resolveSrv } from 'node:dns/promises';
import type { SrvResolver } from '../discovery/srv-cluster.ts';

/** The name service of this machine. */
export const srvResolver = {
  async records(name: string) {
    try {
      const records = await resolveSrv(name);
      return records
        .map(({ name: target, port, priority, weight }) => ({ target, port, priority, weight }))
        .sort((a, b) => a.priority - b.priority || b.weight - a.weight);
    } catch (error) {
      throw new Error(`lookup ${name}: ${reasonOf(error)}`);
    }
  },
  async address(host: string) {
    try {
      return (await lookup(host.replace(/\.$/, ''))).address;
    } catch (error) {
      throw new Error(`lookup ${host}: ${reasonOf(error)}`);
    }
  },
} satisfies SrvResolver;

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  return code === 'ENOTFOUND' || code === 'ENODATA' ? 'no such host' : message;
}
