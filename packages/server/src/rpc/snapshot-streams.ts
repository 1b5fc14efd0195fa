import { etcdserverpb, writeVarint } from '@quorate/api';
import { allocateUnsafe, type Clock, copyBytes } from '@quorate/base';
import type { BackendSnapshot } from '@quorate/storage';
import type { StreamCall } from '@quorate/transport';
import { failCall } from './answers.ts';
import { fieldLength } from './header-bytes.ts';

/** A running digest. */
export interface Digest {
  update(bytes: Uint8Array): void;
  finish(): Uint8Array;
}

export interface SnapshotStreamsDeps {
  readonly clock: Clock;
  readonly openSnapshot: () => Promise<BackendSnapshot>;
  readonly storageVersion: () => string;
  readonly sha256: () => Digest;
}

export interface SnapshotLimits {
  /** Streams at a time: each keeps pages of its moment from being reused, and some hundred KiB in memory. */
  readonly streamsMax: number;
  /** A reader that takes nothing for so long is given up, so that the database does not grow behind it for ever. */
  readonly stallMs: number;
}

export const defaultSnapshotLimits: SnapshotLimits = { streamsMax: 32, stallMs: 5 * 60_000 };

/** Bytes of the database in one message, as etcd's. */
const chunkBytes = 32 * 1024;
const deadlineExceeded = 4;

/** Streams the database as of one moment to clients, each at its reader's pace: what a reader does not take is not read either. */
export class SnapshotStreams {
  private readonly deps: SnapshotStreamsDeps;
  private readonly limits: SnapshotLimits;
  private open = 0;

  constructor(deps: SnapshotStreamsDeps, limits: SnapshotLimits = defaultSnapshotLimits) {
    this.deps = deps;
    this.limits = limits;
  }

  /** Sends the database, then the SHA-256 of all that was sent. */
  async send(call: StreamCall): Promise<void> {
    if (this.open >= this.limits.streamsMax) {
      failCall(call, 'ErrGRPCRequestTooManyRequests');
      return;
    }
    this.open++;
    try {
      const snapshot = await this.deps.openSnapshot();
      try {
        await this.sendAll(call, snapshot);
      } finally {
        snapshot.close();
      }
    } finally {
      this.open--;
    }
  }

  private async sendAll(call: StreamCall, snapshot: BackendSnapshot): Promise<void> {
    const behind = encodePart({ version: this.deps.storageVersion() });
    const digest = this.deps.sha256();
    let remaining = snapshot.sizeBytes;
    const send = async (blob: Uint8Array): Promise<boolean> => {
      // The blob goes out as it was read: only the fields around it are encoded.
      const before = encodePart({ remainingBytes: remaining });
      const tag = allocateUnsafe(fieldLength(blob.length) - blob.length);
      tag[0] = 0x1a;
      writeVarint(blob.length, tag, 1);
      const hasRoom = call.writeChunks([before, tag, blob, behind]) || (await this.drained(call));
      return hasRoom && !call.cancelled;
    };
    for await (const chunk of snapshot.chunks()) {
      digest.update(chunk);
      for (let start = 0; start < chunk.length; start += chunkBytes) {
        const blob = chunk.subarray(start, start + chunkBytes);
        remaining -= blob.length;
        if (!(await send(blob))) return;
      }
    }
    if (await send(copyBytes(digest.finish()))) call.end();
  }

  /** Resolves with true when the stream takes more, with false when it is over; a reader that stalls ends it. */
  private drained(call: StreamCall): Promise<boolean> {
    const { clock } = this.deps;
    return new Promise((resolve) => {
      const timer = clock.setTimer(this.limits.stallMs, () => {
        call.fail(deadlineExceeded, 'the reader of the snapshot has stalled');
        resolve(false);
      });
      const goOn = () => {
        timer.cancel();
        resolve(!call.cancelled);
      };
      call.onDrain(goOn);
      call.onCancel(goOn);
    });
  }
}

/** Some fields of a message; the parts of one message are put together in the order of the fields. */
function encodePart(fields: Partial<etcdserverpb.SnapshotResponse>): Uint8Array {
  return copyBytes(etcdserverpb.SnapshotResponse.encode(etcdserverpb.SnapshotResponse.create(fields)));
}
