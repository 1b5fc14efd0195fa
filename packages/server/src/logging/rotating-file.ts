import {
  closeSync,
  createReadStream,
  createWriteStream,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { LogRotation } from './json-logger.ts';
import type { LogOutput } from './outputs.ts';

const megabyte = 1024 * 1024;
const dayMs = 24 * 3_600_000;

/**
 * A log file that is put aside when it is full, under the names that etcd gives such files:
 *
 *     etcd.log                              the file written to
 *     etcd-2006-01-02T15-04-05.000.log      put aside at that time
 *     etcd-2006-01-02T15-04-05.000.log.gz   and compressed since
 */
export class RotatingFile implements LogOutput {
  private readonly path: string;
  private readonly rotation: LogRotation;
  private readonly now: () => Date;
  private descriptor = -1;
  private sizeBytes = 0;
  private cleaning: Promise<void> = Promise.resolve();

  constructor(path: string, rotation: LogRotation, now = () => new Date()) {
    this.path = path;
    this.rotation = rotation;
    this.now = now;
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    this.open();
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.sizeBytes > 0 && this.sizeBytes + bytes.length > this.rotation.sizeMegabytesMax * megabyte) this.rotate();
    this.sizeBytes += writeSync(this.descriptor, bytes);
  }

  /** Lines are out at once; what is waited for are the files put aside. */
  flush(): Promise<void> {
    return this.cleaning;
  }

  close(): void {
    closeSync(this.descriptor);
  }

  private open(): void {
    this.descriptor = openSync(this.path, 'a', 0o600);
    this.sizeBytes = fstatSync(this.descriptor).size;
  }

  private rotate(): void {
    this.close();
    renameSync(this.path, this.backupName());
    this.open();
    // A backup that cannot be compressed or removed stays: no reason to stop logging.
    this.cleaning = this.cleaning.then(() => this.clean()).catch(() => {});
  }

  private backupName(): string {
    const extension = extname(this.path);
    const stem = basename(this.path, extension);
    const now = this.now();
    const shiftMs = this.rotation.inLocalTime ? -now.getTimezoneOffset() * 60_000 : 0;
    const time = new Date(now.getTime() + shiftMs).toISOString().slice(0, -1).replaceAll(':', '-');
    return join(dirname(this.path), `${stem}-${time}${extension}`);
  }

  /** Removes backups that are too many or too old, compresses the others. */
  private async clean(): Promise<void> {
    const { backupsMax, ageDaysMax, compresses } = this.rotation;
    const backups = this.backups();
    const oldestMs = ageDaysMax === 0 ? Number.NEGATIVE_INFINITY : this.now().getTime() - ageDaysMax * dayMs;
    const isKept = ({ timeMs }: { timeMs: number }, i: number) =>
      (backupsMax === 0 || i < backupsMax) && timeMs >= oldestMs;
    for (const [i, backup] of backups.entries()) {
      if (!isKept(backup, i)) unlinkSync(backup.path);
      else if (compresses && !backup.path.endsWith('.gz')) await compress(backup.path);
    }
  }

  /** Newest first. */
  private backups(): { readonly path: string; readonly timeMs: number }[] {
    const extension = extname(this.path);
    const stem = `${basename(this.path, extension)}-`;
    const folder = dirname(this.path);
    const found: { path: string; timeMs: number }[] = [];
    for (const name of readdirSync(folder)) {
      const bare = name.endsWith('.gz') ? name.slice(0, -3) : name;
      if (!bare.startsWith(stem) || !bare.endsWith(extension)) continue;
      const time = bare.slice(stem.length, bare.length - extension.length);
      const match = /^(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(time);
      if (!match) continue;
      const zone = this.rotation.inLocalTime ? '' : 'Z';
      const timeMs = Date.parse(`${match[1]}${match[2]}:${match[3]}:${match[4]}${zone}`);
      found.push({ path: join(folder, name), timeMs });
    }
    return found.sort((a, b) => b.timeMs - a.timeMs);
  }
}

async function compress(path: string): Promise<void> {
  await pipeline(createReadStream(path), createGzip(), createWriteStream(`${path}.gz`, { mode: 0o600 }));
  unlinkSync(path);
}
