import type { RaftLogger } from '../../logger.ts';

const levels = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'NONE'] as const;
const NONE = levels.length - 1;

/** What a scenario prints: the harness's own lines, and the nodes' log lines from a level up. None of either at level NONE. */
export class Output {
  private text = '';
  private level = 0;

  get isQuiet(): boolean {
    return this.level === NONE;
  }

  write(text: string): void {
    if (!this.isQuiet) this.text += text;
  }

  /** What was written since the last take. */
  take(): string {
    const { text } = this;
    this.text = '';
    return text;
  }

  get levelName(): string {
    return levels[this.level] as string;
  }

  /** @throws {Error} naming the levels there are */
  setLevel(name: string): void {
    const level = levels.indexOf(name.toUpperCase() as (typeof levels)[number]);
    if (level < 0) throw new Error(`log levels must be either of [${levels.join(' ')}]`);
    this.level = level;
  }

  /** Runs `body` and indents what it writes, also when it throws. */
  indented(body: () => void): void {
    const before = this.take();
    try {
      body();
    } finally {
      const inner = this.take();
      const lines = inner.endsWith('\n') ? inner.slice(0, -1).split('\n') : inner.split('\n');
      this.text = inner === '' ? before : `${before}${lines.map((line) => `  ${line}\n`).join('')}`;
    }
  }

  /** A logger that writes here, `LEVEL text` a line. */
  logger(): RaftLogger {
    const at = (level: number) => {
      if (this.level > level) return undefined;
      return (text: string) => this.write(`${levels[level]} ${text}\n`);
    };
    return {
      get debug() {
        return at(0);
      },
      get info() {
        return at(1);
      },
      get warn() {
        return at(2);
      },
      get error() {
        return at(3);
      },
      get fatal() {
        return at(4);
      },
    };
  }
}
