import { formatDuration, parseDurationMs } from './duration.ts';
import type { RawSettings, SettingNote } from './parse.ts';

const texts: ReadonlyMap<string, string> = new Map([
  ['max-snapshots', '--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.'],
  [
    'v2-deprecation',
    '--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input.',
  ],
]);

/** A word for each deprecated flag that is set. */
export function deprecationWarnings(settings: RawSettings): SettingNote[] {
  return [...texts].flatMap(([name, message]) => (settings.sources.has(name) ? [{ level: 'warn', message }] : []));
}

const raftTimeoutMinMs = 5_000;

/** Peer connections are given five seconds at least; a configuration file leaves the flags as they are. */
export function raiseRaftTimeouts(settings: RawSettings): void {
  for (const flag of ['raft-read-timeout', 'raft-write-timeout']) {
    const given = parseDurationMs(settings.values.get(flag) ?? '5s');
    if (given === undefined || given >= raftTimeoutMinMs) continue;
    const minimum = formatDuration(raftTimeoutMinMs);
    settings.values.set(flag, minimum);
    settings.notes.push({ level: 'info', message: `${flag} increased to minimum value: ${minimum}` });
  }
}
