import { emptyBytes } from '@quorate/base';
import { EventType, type History, type StoreEvent } from '../mvcc/contract.ts';
import { encodeEvents, encodeFront, type ResponseEncoder } from './response-encoder.ts';

/** What of the events a watcher wants: a set of bits. */
export const Variant = { previous: 1, noPut: 2, noDelete: 4 } as const;
const variantCount = 8;
const filters = Variant.noPut | Variant.noDelete;

/** Bodies up to this size are copied behind each head; larger ones are shared as they are. */
const copiedBodyBytesMax = 1024;

/** A key-value above this size goes out as the store has it: of a smaller one the view would keep a page alive for little. */
const sharedBytesMin = 8 * 1024;

/** Whether a watcher of this variant wants to see the event at all. */
export function isWanted(variant: number, event: StoreEvent): boolean {
  return (variant & (event.type === EventType.delete ? Variant.noDelete : Variant.noPut)) === 0;
}

/**
 * The events of one response to many watchers. They are encoded at most once for each variant, and a response is made at most once
 * in a row for the same variant and watch id: most streams have one watcher, and its id is 0.
 */
export class EventBatch {
  private readonly encoder: ResponseEncoder;
  private history: History | undefined = undefined;
  private events: readonly StoreEvent[] = [];
  /** Of each event; undefined when all are of `headerRevision`. */
  private revisions: readonly number[] | undefined = undefined;
  private previous: readonly (Uint8Array | undefined)[] | undefined = undefined;
  private headerRevision = 0;
  /** What stands between head and body: nothing, but where the body is a key-value of the store. */
  private readonly fronts: Uint8Array[] = new Array(variantCount).fill(emptyBytes);
  private readonly bodies: (Uint8Array | undefined)[] = new Array(variantCount).fill(undefined);
  private readonly counts: number[] = new Array(variantCount).fill(0);

  private responseId = 0;
  private responseVariant = -1;
  private responseHead: Uint8Array = emptyBytes;
  private responseTail: Uint8Array = emptyBytes;

  constructor(encoder: ResponseEncoder) {
    this.encoder = encoder;
  }

  /**
   * Starts over. `revisions` gives that of each event where they differ from `headerRevision`, `previous` the key-value before
   * each where those are read already.
   */
  begin(
    history: History,
    events: readonly StoreEvent[],
    revisions: readonly number[] | undefined,
    headerRevision: number,
    previous?: readonly (Uint8Array | undefined)[],
  ): void {
    this.history = history;
    this.events = events;
    this.revisions = revisions;
    this.previous = previous;
    this.headerRevision = headerRevision;
    for (let i = 0; i < variantCount; i++) this.bodies[i] = undefined;
    this.responseVariant = -1;
  }

  /** Lets go of the events. */
  end(): void {
    this.events = [];
    this.revisions = undefined;
    this.previous = undefined;
    this.responseHead = emptyBytes;
    this.responseTail = emptyBytes;
    for (let i = 0; i < variantCount; i++) this.bodies[i] = undefined;
  }

  /** The encoded events this variant wants, of a large single one its key-value alone; empty when there is none. */
  body(variant: number): Uint8Array {
    return this.bodies[variant] ?? this.makeBody(variant);
  }

  /** How many events {@link body} holds. */
  eventCount(variant: number): number {
    return this.counts[variant] as number;
  }

  /** Makes the response for {@link head} and {@link tail}. */
  prepare(variant: number, watchId: number): void {
    if (variant === this.responseVariant && watchId === this.responseId) return;
    const body = this.body(variant);
    const copied = body.length <= copiedBodyBytesMax;
    const behindHead = copied ? body : (this.fronts[variant] as Uint8Array);
    this.responseHead = this.encoder.eventResponse(this.headerRevision, watchId, false, behindHead);
    this.responseTail = copied ? emptyBytes : body;
    this.responseVariant = variant;
    this.responseId = watchId;
  }

  get head(): Uint8Array {
    return this.responseHead;
  }

  get tail(): Uint8Array {
    return this.responseTail;
  }

  /** The head of one piece of a response that is sent in fragments. */
  fragmentHead(watchId: number, isLast: boolean): Uint8Array {
    return this.encoder.eventResponse(this.headerRevision, watchId, !isLast, emptyBytes);
  }

  private makeBody(variant: number): Uint8Array {
    let { events, revisions, previous } = this;
    if ((variant & filters) !== 0) {
      const all = events;
      const wanted = (_: unknown, i: number) => isWanted(variant, all[i] as StoreEvent);
      revisions = revisions?.filter(wanted);
      previous = previous?.filter(wanted);
      events = all.filter(wanted);
    }
    this.counts[variant] = events.length;
    const body = this.encode(variant, events, revisions, previous);
    this.bodies[variant] = body;
    return body;
  }

  private encode(
    variant: number,
    events: readonly StoreEvent[],
    revisions: readonly number[] | undefined,
    previous: readonly (Uint8Array | undefined)[] | undefined,
  ): Uint8Array {
    this.fronts[variant] = emptyBytes;
    if (events.length === 0) return emptyBytes;
    const [event] = events as [StoreEvent];
    const hasPrevious = (variant & Variant.previous) !== 0;
    // However many watch it, by whatever range, a large value is in memory once.
    if (events.length === 1 && event.keyValue.length > sharedBytesMin && (!hasPrevious || event.isCreate)) {
      this.fronts[variant] = encodeFront(event, this.encoder);
      return event.keyValue;
    }
    const before = hasPrevious ? (previous ?? this.readPrevious(events, revisions)) : undefined;
    return encodeEvents(events, before, this.encoder);
  }

  /** The key-values before the events, read now (spec 4.1: at send time). */
  private readPrevious(
    events: readonly StoreEvent[],
    revisions: readonly number[] | undefined,
  ): (Uint8Array | undefined)[] {
    return events.map((event, i) =>
      event.isCreate ? undefined : this.history?.keyValueAt(event.key, (revisions?.[i] ?? this.headerRevision) - 1),
    );
  }
}
