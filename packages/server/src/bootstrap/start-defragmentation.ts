import { humanBytes, type Logger } from '@quorate/base';
import { type Backend, databaseSizeFields } from '@quorate/storage';

/** Rewrites the database before the member starts, if that frees at least so many bytes; 0 never. */
export async function defragmentAtStart(
  { logger }: { readonly logger: Logger },
  backend: Pick<Backend, 'size' | 'sizeInUse' | 'defragment'>,
  thresholdBytes: number,
): Promise<void> {
  if (thresholdBytes === 0) return;
  const bytes = backend.size();
  const inUseBytes = backend.sizeInUse();
  if (bytes - inUseBytes >= thresholdBytes) {
    await backend.defragment();
    return;
  }
  logger.info('Skipping defragmentation', {
    ...databaseSizeFields({ bytes, inUseBytes }),
    'bootstrap-defrag-threshold-bytes': thresholdBytes,
    'bootstrap-defrag-threshold': humanBytes(thresholdBytes),
  });
}
