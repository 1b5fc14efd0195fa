/**
 * One thing that happens to a simulated cluster, as plain data. Nodes are numbers from 1. Every event may come in any
 * state: where it makes no sense (nobody there, nothing on that link) nothing happens. So any part of a list of events
 * is a run too, which is what lets a failing run be shrunk by leaving events out.
 */
export type ClusterEvent =
  | LinkEvent
  | PlainNodeEvent
  | { readonly kind: 'crash'; readonly node: number; readonly losesUnsynced: boolean; readonly torn: number }
  | { readonly kind: 'tick'; readonly node: number; readonly times: number }
  | { readonly kind: 'propose'; readonly node: number; readonly count: number }
  | { readonly kind: 'change'; readonly node: number; readonly how: ChangeForm; readonly changes: string }
  | { readonly kind: 'read'; readonly node: number; readonly again: boolean }
  | { readonly kind: 'transfer'; readonly node: number; readonly to: number }
  | { readonly kind: 'compact'; readonly node: number; readonly keep: number }
  | { readonly kind: 'unreachable'; readonly node: number; readonly to: number }
  | { readonly kind: 'snapshot-report'; readonly node: number; readonly to: number; readonly failed: boolean }
  | { readonly kind: 'cut'; readonly from: readonly number[]; readonly to: readonly number[]; readonly oneWay: boolean }
  | { readonly kind: 'reconnect' };

/** What happens to the message at that place of a link: the last one when there are fewer. */
export interface LinkEvent {
  /** `repeat` delivers it and leaves it on its way, behind all others. */
  readonly kind: 'deliver' | 'repeat' | 'lose';
  readonly from: number;
  readonly to: number;
  readonly place: number;
}

export interface PlainNodeEvent {
  /**
   * `work` does all that the node has to do, `stage` the next stage of it. With asynchronous storage writes a stage takes
   * a Ready, and `append` and `apply` do the next stage of the threads' work.
   */
  readonly kind: 'work' | 'stage' | 'append' | 'apply' | 'campaign' | 'forget' | 'start';
  readonly node: number;
}

/** `v1` is the old form of one change, the others are transitions of the new one. */
export type ChangeForm = 'v1' | 'auto' | 'implicit' | 'explicit';

/** The event on one line, for people. */
export function describeEvent(event: ClusterEvent): string {
  switch (event.kind) {
    case 'deliver':
    case 'repeat':
    case 'lose':
      return `${event.kind} ${event.from}->${event.to}${event.place === 0 ? '' : ` (place ${event.place})`}`;
    case 'crash':
      return `crash ${event.node}${event.losesUnsynced ? ', unsynced is lost' : ''}${event.torn > 0 ? `, torn at ${event.torn}` : ''}`;
    case 'tick':
      return `tick ${event.node}${event.times > 1 ? ` ${event.times} times` : ''}`;
    case 'propose':
      return `propose ${event.count} on ${event.node}`;
    case 'change':
      return `change ${event.how} [${event.changes === '' ? 'leave joint' : event.changes}] on ${event.node}`;
    case 'read':
      return `read on ${event.node}${event.again ? ' with the last context' : ''}`;
    case 'transfer':
      return `transfer to ${event.to} asked of ${event.node}`;
    case 'compact':
      return `compact ${event.node} but for ${event.keep}`;
    case 'unreachable':
      return `tell ${event.node} that ${event.to} is unreachable`;
    case 'snapshot-report':
      return `tell ${event.node} that the snapshot for ${event.to} ${event.failed ? 'failed' : 'went through'}`;
    case 'cut':
      return `cut ${event.from.join()}${event.oneWay ? '->' : '<->'}${event.to.join()}`;
    case 'reconnect':
      return 'reconnect all';
    default:
      return `${event.kind} ${event.node}`;
  }
}
