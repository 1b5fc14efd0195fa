import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LogFile } from './wal-twin.ts';

/** Reads logs and snapshot files by etcd's packages (conformance/go/filecheck). */
const program = fileURLToPath(new URL('../../../conformance/.bin/filecheck', import.meta.url));

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

/** One process for all questions, ended with ours. */
class FileCheck {
  private readonly child: ChildProcessWithoutNullStreams = spawn(program);
  private readonly folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'quorate-fuzz-'));
  private waiting: ((line: string) => void) | undefined;
  private written: string[] = [];

  constructor() {
    createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting?.(line));
    process.on('exit', () => {
      this.child.kill();
      rmSync(this.folder, { recursive: true, force: true });
    });
    // It alone shall not keep the process.
    this.child.unref();
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) {
      (stream as unknown as { unref(): void }).unref();
    }
  }

  /** Asks about these files: `question` gets the folder in which they lie. */
  async ask(files: readonly LogFile[], question: (folder: string) => string): Promise<FileAnswer> {
    for (const path of this.written) rmSync(path);
    mkdirSync(this.folder, { recursive: true });
    this.written = files.map(({ name }) => join(this.folder, name));
    for (const [i, { bytes }] of files.entries()) writeFileSync(this.written[i] as string, bytes);
    const keepAlive = setInterval(() => undefined, 1000);
    const line = await new Promise<string>((resolve) => {
      this.waiting = resolve;
      this.child.stdin.write(`${question(this.folder)}\n`);
    });
    clearInterval(keepAlive);
    return JSON.parse(line) as FileAnswer;
  }
}

let shared: FileCheck | undefined;

export function fileCheck(): FileCheck {
  shared ??= new FileCheck();
  return shared;
}
