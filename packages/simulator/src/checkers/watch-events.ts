import { etcdserverpb, mvccpb } from '@quorate/api';
import { latin1FromBytes } from '@quorate/base';
import { isInInterval } from '../model/state.ts';
import type { Replay } from './replay.ts';

/** What a watch must tell of one revision, at least one event. */
export interface ExpectedEvents {
  readonly revision: number;
  readonly events: readonly mvccpb.Event[];
}

/** All that a watch must ever tell from a revision on, in order. */
export function* expectedEvents(
  replay: Replay,
  request: etcdserverpb.WatchCreateRequest,
  firstRevision: number,
): Iterable<ExpectedEvents> {
  const matches = matcherOf(request);
  for (let revision = Math.max(2, firstRevision); revision <= replay.revision; revision++) {
    const matching = replay.model.eventsOf(revision).filter(matches);
    if (matching.length === 0) continue;
    const events = request.prevKv ? matching : matching.map((event) => ({ ...event, prevKv: undefined }));
    yield { revision, events };
  }
}

function matcherOf({ key, rangeEnd, filters }: etcdserverpb.WatchCreateRequest): (event: mvccpb.Event) => boolean {
  // Without a key a watch begins with the first there can be.
  const from = key.length === 0 ? '\0' : latin1FromBytes(key);
  const hidden = new Set<mvccpb.EventType>();
  if (filters.includes(etcdserverpb.FilterType.NOPUT)) hidden.add(mvccpb.EventType.PUT);
  if (filters.includes(etcdserverpb.FilterType.NODELETE)) hidden.add(mvccpb.EventType.DELETE);
  return ({ type, kv }) =>
    kv !== undefined && !hidden.has(type) && isInInterval(latin1FromBytes(kv.key), from, rangeEnd);
}
