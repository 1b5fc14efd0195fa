/** One key as a worker expects it. */
export interface Entry {
  readonly value: string;
  readonly lease: string;
  /** Revision of the last put; undefined while that put is not acknowledged. */
  readonly modRevision: number | undefined;
}

export type State = ReadonlyMap<string, Entry>;

/** What one request changes, as data: a state before it and the same request give the state after it. */
export type Change =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease: string }
  | { readonly kind: 'delete'; readonly key: string }
  /** All of a lease's keys go. */
  | { readonly kind: 'revoke'; readonly lease: string };

/** The state after a request. `revision` is that of its acknowledgement. */
export function applyChanges(state: State, changes: readonly Change[], revision: number | undefined): State {
  const next = new Map(state);
  for (const change of changes) {
    if (change.kind === 'put') {
      next.set(change.key, { value: change.value, lease: change.lease, modRevision: revision });
    } else if (change.kind === 'delete') {
      next.delete(change.key);
    } else {
      for (const [key, entry] of next) if (entry.lease === change.lease) next.delete(key);
    }
  }
  return next;
}

/** Whether a request moves the store's revision. */
export function changesAnything(state: State, changes: readonly Change[]): boolean {
  return changes.some((change) => {
    if (change.kind === 'put') return true;
    if (change.kind === 'delete') return state.has(change.key);
    return [...state.values()].some((entry) => entry.lease === change.lease);
  });
}

/** Whether two states are the same; a revision not known is not compared. */
export function sameState(expected: State, found: State): boolean {
  if (expected.size !== found.size) return false;
  for (const [key, entry] of expected) {
    const other = found.get(key);
    if (other === undefined || other.value !== entry.value || other.lease !== entry.lease) return false;
    if (entry.modRevision !== undefined && entry.modRevision !== other.modRevision) return false;
  }
  return true;
}

export function showState(state: State): string {
  const lines = [...state].map(([key, { value, lease, modRevision }]) => {
    const shown = value.length > 40 ? `${value.slice(0, 40)}… (${value.length})` : value;
    return `${key} = ${shown} lease ${lease} at ${modRevision ?? '?'}`;
  });
  return lines.sort().join('\n');
}
