import type { Message } from '../grpc/services.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { sleep, waitUntil } from '../support/text.ts';
import { compareHistories, type KeyEvent, toKeyEvent } from './history.ts';

const STREAM_SLICE_MS = 200;
const RETRY_MS = 50;
const CATCH_UP_MS = 30_000;

/** A client that watches everything all the time: at one member while it can, from where it was at another when it cannot. */
export class WatchLog {
  readonly name: string;
  readonly problems: string[] = [];
  /** How often it had to go on elsewhere. */
  resumed = 0;
  private readonly events: KeyEvent[] = [];
  private readonly members: () => readonly ClusterMember[];
  private readonly running: Promise<void>;
  private home: ClusterMember;
  private stopping = false;

  /** `members` are those it may ask; it begins at `home`, before the first write. */
  constructor(home: ClusterMember, members: () => readonly ClusterMember[]) {
    this.name = `watcher that began at ${home.name}`;
    this.home = home;
    this.members = members;
    this.running = this.run();
  }

  private get lastRevision(): number {
    return this.events.at(-1)?.revision ?? 0;
  }

  private async run(): Promise<void> {
    for (let tried = 0; !this.stopping; tried++) {
      const members = this.members();
      if (!members.includes(this.home)) this.home = members[tried % members.length] ?? this.home;
      await this.watch(this.home);
      if (this.stopping) return;
      this.resumed++;
      await sleep(RETRY_MS);
    }
  }

  /** One stream, to its end. */
  private async watch(member: ClusterMember): Promise<void> {
    const call = member.connection.duplex('Watch.Watch');
    const open = Buffer.from([0]);
    call.send({ create_request: { key: open, range_end: open, start_revision: this.lastRevision + 1 } });
    let read = 0;
    const take = (): boolean => {
      for (; read < call.received.length; read++) this.take(call.received[read] as Message, member);
      return false;
    };
    while (!this.stopping && call.end === undefined) await call.until(take, STREAM_SLICE_MS);
    call.cancel();
  }

  private take(message: Message, member: ClusterMember): void {
    if (message.canceled === true) this.problems.push(`${member.name} cancelled the watch: ${message.cancel_reason}`);
    const events = (message.events as Message[]).map(toKeyEvent);
    const first = events[0];
    if (first !== undefined && first.revision <= this.lastRevision) {
      this.problems.push(`${member.name} sent revision ${first.revision} after ${this.lastRevision}`);
    }
    this.events.push(...events);
  }

  /** Waits until it has seen the last event of `history`, stops, and says what differs. */
  async finish(history: readonly KeyEvent[]): Promise<string[]> {
    const target = history.at(-1)?.revision ?? 0;
    const caughtUp = (): boolean => this.lastRevision >= target;
    await waitUntil('the last event', CATCH_UP_MS, caughtUp).catch(() => undefined);
    await this.stop();
    return [...this.problems.slice(0, 5), ...compareHistories(history, this.events)];
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.running;
  }
}
