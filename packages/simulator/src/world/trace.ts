/** Hears every line as it is written. */
export type TraceListener = (line: string) => void;

export interface TraceDigest {
  update(text: string): void;
  /** Lower-case hexadecimal. */
  finish(): string;
}

/** Lines are hashed in pieces of about so many characters. */
const pieceLength = 64 * 1024;

/** All that happens in a world, one line each; two runs are the same when the hashes over their lines are. */
export class Trace {
  private readonly digest: TraceDigest;
  private readonly nowMs: () => number;
  private readonly listener: TraceListener | undefined;
  private piece: string[] = [];
  private length = 0;
  lines = 0;

  constructor(digest: TraceDigest, nowMs: () => number, listener?: TraceListener) {
    this.digest = digest;
    this.nowMs = nowMs;
    this.listener = listener;
  }

  /** `who` is a machine, a client or `world`; `what` one line of text. */
  note(who: string, what: string): void {
    const line = `${this.nowMs().toFixed(3)} ${who} ${what}\n`;
    this.lines++;
    this.piece.push(line);
    this.length += line.length;
    this.listener?.(line);
    if (this.length > pieceLength) this.flush();
  }

  private flush(): void {
    this.digest.update(this.piece.join(''));
    this.piece = [];
    this.length = 0;
  }

  finish(): string {
    this.flush();
    return this.digest.finish();
  }
}
