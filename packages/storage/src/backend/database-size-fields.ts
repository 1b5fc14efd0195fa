import { humanBytes } from '@quorate/base';

/** Sizes of a database as etcd's log lines have them. */
export function databaseSizeFields({ bytes, inUseBytes }: { readonly bytes: number; readonly inUseBytes: number }) {
  return {
    'current-db-size-bytes': bytes,
    'current-db-size': humanBytes(bytes),
    'current-db-size-in-use-bytes': inUseBytes,
    'current-db-size-in-use': humanBytes(inUseBytes),
  };
}
