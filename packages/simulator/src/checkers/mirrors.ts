import type { MirrorView, Violation } from '../history/history.ts';
import type { Keys } from '../model/state.ts';

/** A list and the events after it come to the state that there was. */
export function checkMirrors(
  views: readonly MirrorView[],
  keysAt: (revision: number) => Keys | undefined,
  prefix: string,
): Violation[] {
  const violations: Violation[] = [];
  const expected = new Map<number, string>();
  for (const { client, revision, keys } of views) {
    const state = keysAt(revision);
    if (state === undefined) {
      violations.push({ checker: 'mirror', text: `m${client} has revision ${revision}, which nobody made` });
      continue;
    }
    let text = expected.get(revision);
    if (text === undefined) {
      const live: [string, number][] = [];
      state.scan(prefix, undefined, ({ modRevision }, key) => {
        if (!key.startsWith(prefix)) return false;
        live.push([key, modRevision]);
        return true;
      });
      text = textOf(live);
      expected.set(revision, text);
    }
    const found = textOf([...keys]);
    if (found === text) continue;
    violations.push({
      checker: 'mirror',
      text: `mirror ${client} at revision ${revision}: ${found}; there was ${text}`,
    });
  }
  return violations;
}

function textOf(keys: readonly (readonly [string, number])[]): string {
  return keys
    .map(([key, modRevision]) => `${key}@${modRevision}`)
    .sort()
    .join(' ');
}
