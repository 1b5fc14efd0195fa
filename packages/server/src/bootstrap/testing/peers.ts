import { CodedError } from '@quorate/base';
import type { HostResolver } from '../../config/url-match.ts';

/** Knows no name. */
export const noNames: HostResolver = {
  resolve: (host) => Promise.reject(new CodedError('dns/not-found', `lookup ${host}: no such host`)),
};
