import type { Logger } from '@quorate/base';
import sonicBoom from 'sonic-boom';

/** Where audit lines go. */
export interface AuditFile {
  write(line: string): void;
  /** Resolves when all lines have left this process. */
  close(): Promise<void>;
}

/** Lines that wait for a slow disk or reader, in bytes; more are dropped. */
const waitingBytesMax = 16 * 1024 * 1024;

/** Opens a file to append to, or `stdout` or `stderr`. @throws the file system's error when it cannot be opened */
export async function openAuditFile(target: string, logger: Logger): Promise<AuditFile> {
  const place = target === 'stdout' ? { fd: 1 } : target === 'stderr' ? { fd: 2 } : { dest: target, append: true };
  // Not synchronous: a slow disk must not hold up the loop for each request.
  const stream = new sonicBoom.SonicBoom({ ...place, sync: false, mode: 0o600, maxLength: waitingBytesMax });
  if (!('fd' in place)) {
    await new Promise<void>((resolve, reject) => {
      stream.once('ready', resolve);
      stream.once('error', reject);
    });
  }
  stream.on('error', (error: Error) => logger.error('failed to write the audit log', { error: error.message }));
  let dropped = 0;
  stream.on('drop', () => dropped++);
  // Once a batch that waited is out there is room again, and lines that are missing are told of.
  stream.on('drain', () => {
    if (dropped > 0) logger.error('the audit log lags behind, lines are missing', { lines: dropped });
    dropped = 0;
  });
  return {
    write: (line) => void stream.write(line),
    close: () =>
      new Promise((resolve) => {
        stream.once('close', resolve);
        stream.once('error', () => resolve());
        stream.end();
      }),
  };
}
