import type { CatchUpGroup } from './catch-up-group.ts';
import type { Interest, Slotted } from './interest-index.ts';
import type { WatchStream } from './watch-stream.ts';

/**
 * - `synced`: told of each revision as it is made; `interest` is its place in the hub's index.
 * - `waiting`: behind, not yet in a catch-up scan.
 * - `scanning`: behind, member of a catch-up group.
 * - `blocked`: behind, its stream's buffer was full; goes on when that drains.
 * - `compacted`: what it needed next is gone; keeps its id until the client cancels it.
 * - `closed`: gone.
 */
export type WatcherState = 'synced' | 'waiting' | 'scanning' | 'blocked' | 'compacted' | 'closed';

/** One watch of one stream. The hub and its catch-up move it between states; nobody else does. */
export class Watcher implements Slotted {
  readonly stream: WatchStream;
  readonly id: number;
  readonly key: string;
  /** Empty for a single key, `openEnd` for no end. */
  readonly end: string;
  readonly variant: number;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
  /** As asked; 0 for "from now on". */
  readonly startRevision: number;

  state: WatcherState = 'closed';
  /** No event before it is wanted any more. While `scanning`, the group knows better. */
  nextRevision: number;
  slot = -1;
  interest: Interest<Watcher> | undefined = undefined;
  group: CatchUpGroup | undefined = undefined;
  /** No events since the last progress tick. */
  isIdle = true;

  constructor(
    stream: WatchStream,
    id: number,
    interval: { readonly key: string; readonly end: string },
    options: {
      readonly variant: number;
      readonly fragment: boolean;
      readonly progressNotify: boolean;
      readonly startRevision: number;
      readonly nextRevision: number;
    },
  ) {
    this.stream = stream;
    this.id = id;
    this.key = interval.key;
    this.end = interval.end;
    this.variant = options.variant;
    this.fragment = options.fragment;
    this.progressNotify = options.progressNotify;
    this.startRevision = options.startRevision;
    this.nextRevision = options.nextRevision;
  }
}
