import { readFileSync } from 'node:fs';

/** Files that a member needs besides the connections of its clients. */
export const reservedFiles = 150;

/** How many files this process may have open; undefined where the system does not say, or sets no limit. */
export function openFilesMax(): number | undefined {
  try {
    return parseOpenFilesMax(readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    // Not Linux.
    return undefined;
  }
}

/** The limit in effect, from the kernel's table of limits. */
export function parseOpenFilesMax(table: string): number | undefined {
  const soft = /^Max open files +(\d+)/m.exec(table)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
