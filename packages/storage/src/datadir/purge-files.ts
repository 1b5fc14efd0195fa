import type { WalDeps } from '../wal/types.ts';

/**
 * Removes the oldest files with that suffix (their names sort by age) until `countMax` are left.
 * @returns the names removed.
 */
export async function purgeFiles(
  { disk, logger }: Pick<WalDeps, 'disk' | 'logger'>,
  directory: string,
  suffix: string,
  countMax: number,
): Promise<string[]> {
  const names = (await disk.list(directory)).filter((name) => name.endsWith(suffix));
  const victims = names.slice(0, Math.max(0, names.length - countMax));
  for (const name of victims) {
    await disk.remove(`${directory}/${name}`);
    logger.info('purged', { path: `${directory}/${name}` });
  }
  return victims;
}
