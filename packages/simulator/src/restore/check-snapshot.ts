import { mvccpb } from '@quorate/api';
import { equalBytes, latin1FromBytes } from '@quorate/base';
import { type Replay, replayLog } from '../checkers/replay.ts';
import type { AppliedEntry, Violation } from '../history/history.ts';
import { type DatabaseContent, liveKeys } from './database-content.ts';

/** A snapshot that came to its end. */
export interface SavedSnapshot {
  /** The member that it is of, with the number of its life. */
  readonly member: string;
  /** The database and its SHA-256. */
  readonly bytes: Uint8Array;
  /** What the member had applied when it was asked: a snapshot has no less. */
  readonly revisionMin: number;
  /** And when its first answer came: it has no more. */
  readonly revisionMax: number;
  readonly content: DatabaseContent;
}

const deletion = mvccpb.EventType.DELETE;
/** Lines about one snapshot. */
const linesMax = 5;

/** What administrators have saved is what the log says at the entry that the database ends with: records, keys, leases. */
export function checkSnapshots(snapshots: readonly SavedSnapshot[], log: readonly AppliedEntry[]): Violation[] {
  const violations: Violation[] = [];
  for (const { member, content, revisionMin, revisionMax } of snapshots) {
    const found = [...content.problems];
    const { revision, index } = content;
    if (revision < revisionMin) found.push(`was asked for at revision ${revisionMin}`);
    if (revision > revisionMax) found.push(`came when the member was at revision ${revisionMax}`);
    if (index > log.length) found.push(`holds entries up to ${index}, and ${log.length} were applied`);
    else found.push(...differences(content, replayLog(log.slice(0, index))));
    for (const text of found.slice(0, linesMax)) {
      violations.push({ checker: 'snapshot', text: `of ${member} at revision ${revision}, entry ${index}: ${text}` });
    }
  }
  return violations;
}

function differences(content: DatabaseContent, replay: Replay): string[] {
  const found: string[] = [];
  if (content.revision !== replay.revision) found.push(`the log is at revision ${replay.revision}`);
  if (content.compactRevision !== replay.compactRevision)
    found.push(`compacted at ${content.compactRevision}, by the log at ${replay.compactRevision}`);
  found.push(...differentRecords(content, replay), ...differentKeys(content, replay));
  const { leases } = replay.model.state;
  for (const id of content.leases.keys()) {
    if (!leases.has(String(id))) found.push(`has lease ${id.toString(16)}, which is not there`);
  }
  if (content.leases.size < leases.size) found.push(`has ${content.leases.size} leases of ${leases.size}`);
  return found;
}

/** Every record is a change that was made, and of the time after the last compaction none is missing. */
function differentRecords({ records, compactRevision, revision }: DatabaseContent, replay: Replay): string[] {
  const found: string[] = [];
  const counts = new Map<number, number>();
  for (const { main, sub, isTombstone, keyValue } of records) {
    counts.set(main, (counts.get(main) ?? 0) + 1);
    const event = replay.changeAt(main)?.applied.events[sub];
    const isSame =
      event?.kv !== undefined &&
      (event.type === deletion) === isTombstone &&
      (isTombstone ? equalBytes(event.kv.key, keyValue.key) : areEqual(event.kv, keyValue));
    if (!isSame) found.push(`record ${main}.${sub} of ${latin1FromBytes(keyValue.key)} is not what was done`);
  }
  for (let main = Math.max(2, compactRevision + 1); main <= revision; main++) {
    const made = replay.changeAt(main)?.applied.events.length ?? 0;
    if ((counts.get(main) ?? 0) !== made) found.push(`${counts.get(main) ?? 0} of ${made} records of revision ${main}`);
  }
  return found;
}

function differentKeys(content: DatabaseContent, replay: Replay): string[] {
  const live = liveKeys(content);
  const { keys } = replay.model.state;
  const found: string[] = [];
  for (const [name, keyValue] of live) {
    const known = keys.get(name);
    if (known === undefined || !areEqual(known, keyValue)) found.push(`key ${name} is not as it should be`);
  }
  if (live.size < keys.size) found.push(`${live.size} keys of ${keys.size}`);
  return found;
}

export function areEqual(one: mvccpb.KeyValue, other: mvccpb.KeyValue): boolean {
  return (
    equalBytes(one.key, other.key) &&
    equalBytes(one.value, other.value) &&
    one.createRevision === other.createRevision &&
    one.modRevision === other.modRevision &&
    one.version === other.version &&
    one.lease === other.lease
  );
}
