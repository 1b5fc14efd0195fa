import { type Message, MessageType } from '@quorate/raft';
import type { Violation } from '../history/history.ts';

/** Holds what members tell each other against what they told before, also before a crash: one vote a term, and one leader. */
export class Elections {
  readonly violations: Violation[] = [];
  private readonly votes = new Map<string, bigint>();
  private readonly leaders = new Map<string, bigint>();

  sent({ type, from, to, term, reject }: Message): void {
    switch (type) {
      case MessageType.MsgVoteResp:
        if (!reject) this.vote(from, term, to);
        return;
      case MessageType.MsgVote:
        this.vote(from, term, from);
        return;
      case MessageType.MsgApp:
      case MessageType.MsgHeartbeat:
      case MessageType.MsgSnap:
        this.hold(this.leaders, `term ${term}`, from, 'is led by');
        return;
      default:
    }
  }

  private vote(voter: bigint, term: number, candidate: bigint): void {
    this.hold(this.votes, `${voter.toString(16)} in term ${term}`, candidate, 'votes for');
  }

  private hold(known: Map<string, bigint>, what: string, id: bigint, verb: string): void {
    const before = known.get(what);
    if (before === undefined) known.set(what, id);
    else if (before !== id) {
      const text = `${what} ${verb} ${id.toString(16)}, after ${before.toString(16)}`;
      this.violations.push({ checker: 'elections', text });
    }
  }
}
