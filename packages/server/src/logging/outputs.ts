import sonicBoom from 'sonic-boom';
import { openJournal } from './journal.ts';
import type { LineLevel, LogRotation } from './json-logger.ts';
import { RotatingFile } from './rotating-file.ts';

/** Where log lines go. */
export interface LogOutput {
  /** Takes a line with its line end. */
  write(line: string, level: LineLevel): void;
  /** Resolves when all lines have left this process. */
  flush(): Promise<void>;
}

/** @throws the file system's error when it cannot be opened */
export function openOutput(name: string, rotation: LogRotation | undefined): LogOutput {
  switch (name) {
    case 'stdout':
      return synchronous({ fd: 1 });
    case 'default':
    case 'stderr':
      return synchronous({ fd: 2 });
    case 'systemd/journal':
      return openJournal();
    default:
      return rotation === undefined ? synchronous({ dest: name }) : new RotatingFile(name, rotation);
  }
}

/** A line is out when the call returns: what a dying process said last is never lost. */
function synchronous(target: { readonly fd: number } | { readonly dest: string }): LogOutput {
  const stream = new sonicBoom.SonicBoom({ ...target, sync: true, append: true, mkdir: false });
  // A reader that has gone (a closed pipe) must not end the member.
  stream.on('error', () => {});
  return { write: (line) => void stream.write(line), flush: () => Promise.resolve() };
}
