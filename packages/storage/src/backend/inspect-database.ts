import { Database } from '@quorate/bbolt';
import type { BackendDeps } from './bbolt-backend.ts';
import { CommittedReader } from './committed-reader.ts';

/**
 * Looks into a store's file that nobody has open: which entry it stands at. Reads little of it.
 * @throws CodedError of the database: bbolt/invalid, bbolt/checksum, … and the disk's
 */
export async function inspectDatabase(
  deps: BackendDeps,
  path: string,
): Promise<{ readonly consistentIndex: number; readonly consistentTerm: number }> {
  const database = await Database.open(deps, path, { readOnly: true });
  try {
    const transaction = database.beginRead();
    try {
      const { consistentIndex, consistentTerm } = new CommittedReader(transaction);
      return { consistentIndex, consistentTerm };
    } finally {
      transaction.close();
    }
  } finally {
    await database.close();
  }
}
