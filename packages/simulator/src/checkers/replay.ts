import { etcdserverpb } from '@quorate/api';
import type { AppliedEntry, KeyValueRequest } from '../history/history.ts';
import { AuthModel, type Caller } from '../model/auth-model.ts';
import { KeyValueModel } from '../model/key-value-model.ts';
import type { Applied, ModelRequest } from '../model/state.ts';
import { contentOf } from './operations.ts';

const nobody: Caller = { username: '', authRevision: 0 };

/** An entry of the log with what the model says about it. */
export interface ReplayedEntry {
  readonly index: number;
  readonly request: ModelRequest;
  readonly applied: Applied;
  /** Whether it is a revision of its own. */
  readonly isChange: boolean;
}

/** The log as the model understands it: what every request in it answers, and the state at every revision. */
export class Replay {
  readonly model = new KeyValueModel();
  readonly auth = new AuthModel();
  private readonly changes = new Map<number, ReplayedEntry>();
  private readonly contents = new Map<string, ReplayedEntry[]>();
  /** Revisions of successful compactions. */
  readonly compactions = new Set<number>();

  add(index: number, request: ModelRequest, caller: Caller = nobody): void {
    const { model } = this;
    const error = this.auth.refuse(request, caller, model.state);
    const applied =
      error === undefined ? model.apply(request) : { state: model.state, events: [], error, response: undefined };
    const entry = { index, request, applied, isChange: applied.events.length > 0 };
    if (entry.isChange) this.changes.set(applied.state.revision, entry);
    if (!isOfKeyValue(request)) return;
    if (request.method === 'compact' && applied.error === undefined) this.compactions.add(request.message.revision);
    const content = contentOf(request);
    const same = this.contents.get(content);
    if (same === undefined) this.contents.set(content, [entry]);
    else same.push(entry);
  }

  /** The last revision there is. */
  get revision(): number {
    return this.model.revision;
  }

  /** The last revision that was compacted, -1 for none. */
  get compactRevision(): number {
    return this.model.state.compactRevision;
  }

  /** The entry that made a revision. */
  changeAt(revision: number): ReplayedEntry | undefined {
    return this.changes.get(revision);
  }

  /** Entries whose request has that content, in the order of the log. */
  withContent(content: string): readonly ReplayedEntry[] {
    return this.contents.get(content) ?? [];
  }
}

/** Feeds a log to the model. Entries that mean nothing to keys, users and roles (empty ones, membership) are passed over. */
export function replayLog(log: readonly AppliedEntry[]): Replay {
  const replay = new Replay();
  for (const { index, data } of log) {
    if (data.length === 0) continue;
    const entry = etcdserverpb.InternalRaftRequest.decode(data);
    const request = requestOf(entry);
    if (request === undefined) replay.auth.apply(entry, entry.header ?? nobody);
    else replay.add(index, request, entry.header);
  }
  return replay;
}

function requestOf(request: etcdserverpb.InternalRaftRequest): ModelRequest | undefined {
  if (request.put !== undefined) return { method: 'put', message: request.put };
  if (request.deleteRange !== undefined) return { method: 'delete', message: request.deleteRange };
  if (request.txn !== undefined) return { method: 'txn', message: request.txn };
  if (request.compaction !== undefined) return { method: 'compact', message: request.compaction };
  if (request.leaseGrant !== undefined) return { method: 'lease-grant', message: request.leaseGrant };
  if (request.leaseRevoke !== undefined) return { method: 'lease-revoke', message: request.leaseRevoke };
  if (request.alarm !== undefined) return { method: 'alarm', message: request.alarm };
  return undefined;
}

export function isOfKeyValue(request: ModelRequest): request is KeyValueRequest {
  return request.method !== 'lease-grant' && request.method !== 'lease-revoke' && request.method !== 'alarm';
}
