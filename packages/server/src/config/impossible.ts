import type { RawSettings } from './parse.ts';

/** Flags that cannot be served, and why. Refused when they are on: who sets them counts on what they do. */
export const impossibleFlags: ReadonlyMap<string, string> = new Map([
  [
    'memory-mlock',
    'Node.js cannot lock memory, and the database is read through a cache of its own instead of mapped memory',
  ],
  ['socket-reuse-port', 'Node.js 20 cannot set SO_REUSEPORT'],
]);

/** Why the settings cannot be served; undefined when they can. */
export function impossibleSetting({ values }: RawSettings): string | undefined {
  for (const [flag, reason] of impossibleFlags) {
    if (values.get(flag) === 'true') return `--${flag} is not supported: ${reason}`;
  }
  return undefined;
}
