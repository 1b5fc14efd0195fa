import type { Message } from '../../message.ts';

/** Messages that may be on one link; the network drops what is more. */
const LINK_MAX = 60;

interface Parcel {
  readonly message: Message;
  /** Ticks of the sender when it left. */
  readonly sentAt: number;
}

/** Links between nodes 1 to `size`, one each way, on which messages wait until an event moves them. */
export class Network {
  private readonly size: number;
  private readonly links: Parcel[][];
  private readonly cuts: boolean[];

  constructor(size: number) {
    this.size = size;
    this.links = Array.from({ length: size * size }, () => []);
    this.cuts = this.links.map(() => false);
  }

  private at(from: number, to: number): number {
    return (from - 1) * this.size + to - 1;
  }

  /** False when there is no room. */
  put(from: number, to: number, parcel: Parcel): boolean {
    const link = this.links[this.at(from, to)];
    if (link === undefined || link.length >= LINK_MAX) return false;
    link.push(parcel);
    return true;
  }

  peek(from: number, to: number, place: number): Message | undefined {
    const link = this.links[this.at(from, to)] ?? [];
    return link[Math.min(place, link.length - 1)]?.message;
  }

  take(from: number, to: number, place: number): Parcel | undefined {
    const link = this.links[this.at(from, to)];
    if (link === undefined || link.length === 0) return undefined;
    return place === 0 ? link.shift() : link.splice(Math.min(place, link.length - 1), 1)[0];
  }

  waiting(from: number, to: number): number {
    return this.links[this.at(from, to)]?.length ?? 0;
  }

  /** The next link from that position on, in a circle, that has messages. */
  nextBusy(position: number): { from: number; to: number } | undefined {
    const { links, size } = this;
    for (let i = 0; i < links.length; i++) {
      const at = (position + i) % links.length;
      if ((links[at] as Parcel[]).length > 0) return { from: Math.floor(at / size) + 1, to: (at % size) + 1 };
    }
    return undefined;
  }

  /** Takes all there is, link by link. */
  takeAll(): Message[] {
    return this.links.flatMap((link) => link.splice(0).map(({ message }) => message));
  }

  /** Drops what a node has sent. */
  forgetFrom(from: number): void {
    for (let to = 1; to <= this.size; to++) this.links[this.at(from, to)]?.splice(0);
  }

  isCut(from: number, to: number): boolean {
    return this.cuts[this.at(from, to)] === true;
  }

  cut(from: readonly number[], to: readonly number[]): void {
    for (const a of from) for (const b of to) if (a <= this.size && b <= this.size) this.cuts[this.at(a, b)] = true;
  }

  reconnect(): void {
    this.cuts.fill(false);
  }
}
