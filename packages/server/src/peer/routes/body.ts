import { type Clock, CodedError, concatBytes } from '@quorate/base';

/** The body's chunks, given up with `peer/stalled` when the next one lets wait too long. How long the receiver takes does not count. */
export async function* withStallLimit(
  clock: Clock,
  body: AsyncIterable<Uint8Array>,
  stallMs: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextWithin(clock, chunks.next(), stallMs);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // One that stalled does not come back from this before it moves again: nobody waits for it.
    chunks.return?.().catch(() => {});
  }
}

function nextWithin<Value>(clock: Clock, next: Promise<Value>, stallMs: number): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(stallMs, () => reject(new CodedError('peer/stalled', 'i/o timeout')));
    next.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

/** The whole body. @throws BodyError above `bytesMax`, and what reading it throws */
export async function readWhole(body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > bytesMax) throw new CodedError('peer/too-large', `body of more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : concatBytes(chunks);
}

/** Reads from chunks as much as is wanted first, and gives back the rest as chunks. */
export class BodyReader {
  private readonly chunks: AsyncIterator<Uint8Array>;
  private left: Uint8Array | undefined;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.chunks = body[Symbol.asyncIterator]();
  }

  /** @throws CodedError peer/truncated, and what reading throws */
  async take(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let missing = count;
    while (missing > 0) {
      const chunk = this.left ?? (await this.next());
      if (chunk === undefined) throw new CodedError('peer/truncated', 'unexpected EOF');
      parts.push(chunk.subarray(0, missing));
      this.left = chunk.length > missing ? chunk.subarray(missing) : undefined;
      missing -= Math.min(missing, chunk.length);
    }
    return concatBytes(parts);
  }

  /** What is behind. */
  async *rest(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      if (this.left !== undefined) yield this.left;
      this.left = undefined;
      for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) yield chunk;
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    await this.chunks.return?.();
  }

  private async next(): Promise<Uint8Array | undefined> {
    const next = await this.chunks.next();
    return next.done === true ? undefined : next.value;
  }
}
