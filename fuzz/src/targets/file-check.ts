import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LogFile } from './wal-twin.ts';

/** Reads logs and snapshot files by etcd's packages (conformance/go/filecheck). */
const program = fileURLToPath(new URL('../../../conformance/.bin/filecheck', import.meta.url));

/** Whoever looks for longer has lost its way. */
const answerMsMax = 5000;

export interface FileAnswer {
  readonly error: string;
  readonly entries: number;
  readonly index: number;
  readonly term: number;
  readonly vote: string;
  readonly commit: number;
  readonly digest: string;
}

/** Why etcd's packages cannot be asked; undefined when they can. */
export function fileCheckMissing(): string | undefined {
  return existsSync(program) ? undefined : 'filecheck is not built (npm run build-go -w @quorate/conformance)';
}

const unanswered: FileAnswer = {
  error: 'the program ended',
  entries: 0,
  index: 0,
  term: 0,
  vote: '',
  commit: 0,
  digest: '',
};

/** One process for all questions, ended with ours. */
class FileCheck {
  private readonly folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'quorate-fuzz-'));
  private child: ChildProcessWithoutNullStreams | undefined;
  private answered: (line: string | undefined) => void = () => undefined;
  private written: string[] = [];

  constructor() {
    process.on('exit', () => {
      this.child?.kill();
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /** Asks about these files: `question` gets the folder in which they lie. */
  async ask(files: readonly LogFile[], question: (folder: string) => string): Promise<FileAnswer> {
    for (const path of this.written) rmSync(path);
    this.written = files.map(({ name }) => join(this.folder, name));
    for (const [i, { bytes }] of files.entries()) writeFileSync(this.written[i] as string, bytes);
    // A process that died of the question before may be noticed only now: only a second death is the answer.
    const line = (await this.put(question(this.folder))) ?? (await this.put(question(this.folder)));
    return line === undefined ? unanswered : (JSON.parse(line) as FileAnswer);
  }

  /** The line that answers; undefined when the process ends instead. */
  private async put(question: string): Promise<string | undefined> {
    this.child ??= this.start();
    const { child } = this;
    setReferenced(child, true);
    const timer = setTimeout(() => child.kill('SIGKILL'), answerMsMax);
    const line = await new Promise<string | undefined>((resolve) => {
      this.answered = resolve;
      child.stdin.write(`${question}\n`);
    });
    clearTimeout(timer);
    setReferenced(child, false);
    return line;
  }

  private start(): ChildProcessWithoutNullStreams {
    const child = spawn(program);
    createInterface({ input: child.stdout }).on('line', (line) => this.answered(line));
    child.on('exit', () => {
      this.child = undefined;
      this.answered(undefined);
    });
    // Writing to one that has ended: its exit says so.
    child.stdin.on('error', () => undefined);
    return child;
  }
}

/** Between questions the child does not keep this process. */
function setReferenced(child: ChildProcessWithoutNullStreams, isReferenced: boolean): void {
  const pipes = [child.stdin, child.stdout, child.stderr] as unknown as NodeJS.RefCounted[];
  for (const handle of [child, ...pipes]) {
    if (isReferenced) handle.ref();
    else handle.unref();
  }
}

let shared: FileCheck | undefined;

export function fileCheck(): FileCheck {
  shared ??= new FileCheck();
  return shared;
}
