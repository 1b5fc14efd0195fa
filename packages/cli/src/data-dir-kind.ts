import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@quorate/base';

/** What is in a data directory already. `broken`: what belongs to two kinds of servers. */
export type DataDirKind = 'empty' | 'member' | 'proxy' | 'broken';

/** Looks into a data directory and names what does not belong there. @throws the file system's error but for a missing one */
export function dataDirKind(logger: Logger, dataDir: string): DataDirKind {
  let names: string[];
  try {
    names = readdirSync(dataDir);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return 'empty';
    throw error;
  }
  for (const filename of names) {
    if (filename === 'member' || filename === 'proxy') continue;
    logger.warn('found invalid file under data directory', { filename, 'data-dir': join(dataDir) });
  }
  const [member, proxy] = [names.includes('member'), names.includes('proxy')];
  if (member && proxy) return 'broken';
  return member ? 'member' : proxy ? 'proxy' : 'empty';
}
