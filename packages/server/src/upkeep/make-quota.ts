import { humanBytes, type Logger, type Metrics } from '@quorate/base';
import { Quota } from '@quorate/machine';

/** Above it etcd warns. */
const suggestedBytesMax = 8 * 1024 * 1024 * 1024;

/** There is one quota; in etcd several parts have their own object of it. */
const quotaName = { 'quota-name': 'v3-applier' };

/** The quota of a member, which says in the log what it is. */
export function makeQuota(
  { logger, metrics }: { readonly logger: Logger; readonly metrics: Metrics },
  size: () => number,
  configuredBytes: number,
): Quota {
  const quota = new Quota(size, configuredBytes);
  const isOff = configuredBytes < 0;
  metrics
    .gauge('etcd_server_quota_backend_bytes', 'Current backend storage quota size in bytes.')
    .set(isOff ? configuredBytes : quota.bytes);
  if (isOff) {
    logger.info('disabled backend quota', { ...quotaName, 'quota-size-bytes': configuredBytes });
    return quota;
  }
  const fields = { ...quotaName, 'quota-size-bytes': quota.bytes, 'quota-size': humanBytes(quota.bytes) };
  if (quota.bytes > suggestedBytesMax) {
    logger.warn('quota exceeds the maximum value', {
      ...fields,
      'quota-maximum-size-bytes': suggestedBytesMax,
      'quota-maximum-size': humanBytes(suggestedBytesMax),
    });
  }
  logger.info(configuredBytes === 0 ? 'enabled backend quota with default value' : 'enabled backend quota', fields);
  return quota;
}
