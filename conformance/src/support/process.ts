import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';

export interface RunOptions {
  readonly stdin?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit status, or 128 + signal number as a shell shows it; 'timeout' when it had to be ended. */
  readonly exit: number | string;
}

const DEFAULT_RUN_TIMEOUT_MS = 30_000;

/** A child process whose output is gathered while it runs. */
export class Child {
  readonly process: ChildProcessWithoutNullStreams;
  private readonly stdoutChunks: Buffer[] = [];
  private readonly stderrChunks: Buffer[] = [];
  private readonly outputListeners = new Set<() => void>();
  private exitValue: number | string | undefined;
  readonly exited: Promise<number | string>;

  constructor(command: string, args: readonly string[], options: RunOptions = {}) {
    this.process = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.process.stdout.on('data', (chunk: Buffer) => this.gather(this.stdoutChunks, chunk));
    this.process.stderr.on('data', (chunk: Buffer) => this.gather(this.stderrChunks, chunk));
    // A child that ended before reading all of its input is no error of ours: its exit status tells.
    this.process.stdin.on('error', () => undefined);
    this.exited = new Promise((resolve) => {
      this.process.once('error', (error) => this.finish(`cannot run: ${error.message}`, resolve));
      this.process.once('close', (code, signal) => this.finish(code ?? `signal ${signal}`, resolve));
    });
  }

  private gather(into: Buffer[], chunk: Buffer): void {
    into.push(chunk);
    for (const listener of this.outputListeners) listener();
  }

  private finish(value: number | string, resolve: (value: number | string) => void): void {
    if (this.exitValue === undefined) this.exitValue = value;
    for (const listener of this.outputListeners) listener();
    resolve(this.exitValue);
  }

  get exit(): number | string | undefined {
    return this.exitValue;
  }

  get stdout(): string {
    return Buffer.concat(this.stdoutChunks).toString('utf8');
  }

  get stderr(): string {
    return Buffer.concat(this.stderrChunks).toString('utf8');
  }

  /** Resolves true once `holds` is true, false when the process ended or the time ran out before. */
  waitForOutput(holds: () => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (holds()) done(true);
        else if (this.exitValue !== undefined) done(false);
      };
      const timer = setTimeout(() => done(holds()), timeoutMs);
      const done = (value: boolean): void => {
        clearTimeout(timer);
        this.outputListeners.delete(check);
        resolve(value);
      };
      this.outputListeners.add(check);
      check();
    });
  }

  signal(signal: NodeJS.Signals): void {
    if (this.exitValue === undefined) this.process.kill(signal);
  }
}

/** Runs a command to its end. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = new Child(command, args, options);
  child.process.stdin.end(options.stdin ?? '');
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.signal('SIGKILL');
  }, options.timeoutMs ?? DEFAULT_RUN_TIMEOUT_MS);
  const exit = await child.exited;
  clearTimeout(timer);
  return { stdout: child.stdout, stderr: child.stderr, exit: timedOut ? 'timeout' : exit };
}
