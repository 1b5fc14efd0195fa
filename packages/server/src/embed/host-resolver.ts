import { lookup } from 'node:dns/promises';
import type { HostResolver } from '../config/url-match.ts';

/** The name service of this machine. */
export const hostResolver: HostResolver = {
  async resolve(host) {
    return (await lookup(host)).address;
  },
};
