import { canonicalMessage } from '../grpc/canonical.ts';
import { Connection } from '../grpc/connection.ts';
import { loadMethods, type Message } from '../grpc/services.ts';
import type { RunningServer } from '../support/server.ts';
import type { Entry, State } from './model.ts';

export interface Dump {
  readonly revision: number;
  /** All keys with all that belongs to them, as text to compare. */
  readonly keys: string;
  readonly leases: string;
  /** The hash of the key history; only comparable between servers that hash alike. */
  readonly hash: string;
  readonly state: State;
}

const OPEN = Buffer.from([0]);

function toState(kvs: readonly Message[]): State {
  const state = new Map<string, Entry>();
  for (const kv of kvs) {
    state.set((kv.key as Buffer).toString(), {
      value: (kv.value as Buffer).toString(),
      lease: String(kv.lease),
      modRevision: Number(kv.mod_revision),
    });
  }
  return state;
}

/** Everything a client can see of the store. */
export async function dump(connection: Connection): Promise<Dump> {
  const range = await connection.unary('KV.Range', { key: OPEN, range_end: OPEN });
  if (!range.ok) throw new Error(`range: ${range.code} ${range.details}`);
  const leases = await connection.unary('Lease.LeaseLeases', {});
  if (!leases.ok) throw new Error(`leases: ${leases.code} ${leases.details}`);
  const hash = await connection.unary('Maintenance.HashKV', {});
  const ids = (leases.message.leases as Message[]).map((lease) => String(lease.ID));
  const kvs = range.message.kvs as Message[];
  return {
    revision: Number((range.message.header as Message).revision),
    keys: kvs.map((kv) => canonicalMessage(kv).replaceAll('\n', '')).join('\n'),
    leases: ids.sort().join(' '),
    hash: hash.ok ? `${hash.message.hash} compacted ${hash.message.compact_revision}` : hash.details,
    state: toState(kvs),
  };
}

export function connect(server: RunningServer): Connection {
  return new Connection(server.endpoint, loadMethods());
}

/** How two dumps differ; empty when they do not. */
export function compareDumps(expected: Dump, found: Dump, withHash: boolean): string[] {
  const problems: string[] = [];
  if (expected.revision !== found.revision) problems.push(`revision ${found.revision}, not ${expected.revision}`);
  if (expected.leases !== found.leases) problems.push(`leases ${found.leases}, not ${expected.leases}`);
  if (expected.keys !== found.keys) problems.push('keys differ');
  if (withHash && expected.hash !== found.hash) problems.push(`hash ${found.hash}, not ${expected.hash}`);
  return problems;
}
