import { WebSocket } from 'ws';
import type { SideName } from '../grpc/pair.ts';
import { waitUntil } from '../support/text.ts';
import type { HttpPair } from './http-pair.ts';
import { showBody } from './show-answer.ts';

const WAIT_MS = 10_000;

/** What a client says when it opens a WebSocket. */
interface Opening {
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a WebSocket's client hears and how it ends. */
class Talk {
  readonly frames: string[] = [];
  closed = '';
  readonly socket: WebSocket;

  constructor(endpoint: string, path: string, { protocols = [], headers = {} }: Opening) {
    this.socket = new WebSocket(`ws://${endpoint}${path}`, [...protocols], { headers });
    this.socket.on('message', (frame, isBinary) => this.frames.push(`${isBinary ? 'binary ' : ''}${String(frame)}`));
    this.socket.on('close', (code) => {
      this.closed = String(code);
    });
    this.socket.on('error', (error) => {
      this.closed = error.message;
    });
  }

  show(): string {
    const frames = this.frames.map((frame) => showBody(frame));
    return [`protocol ${this.socket.protocol}`, ...frames, `closed ${this.closed}`, ''].join('\n');
  }
}

export interface Dialogue {
  readonly path: string;
  readonly opening?: Opening | ((side: SideName) => Opening);
  /** Sent one by one, each when as many frames have come as are named. */
  readonly send: readonly (readonly [afterFrames: number, text: string])[];
  /** Waits for so many frames, or for the end when left out. */
  readonly frames?: number;
}

/** The same dialogue with both servers. */
export async function talk(http: HttpPair, name: string, dialogue: Dialogue): Promise<void> {
  const { pair } = http;
  const { opening = {} } = dialogue;
  const shown = await pair.both(async (_, side) => {
    const one = new Talk(
      pair.server(side).endpoint,
      dialogue.path,
      typeof opening === 'function' ? opening(side) : opening,
    );
    try {
      for (const [frames, text] of dialogue.send) {
        const isReady = () => one.socket.readyState === WebSocket.OPEN && one.frames.length >= frames;
        await waitUntil(`${name}: ${frames} frames`, WAIT_MS, isReady);
        one.socket.send(text);
      }
      const { frames } = dialogue;
      await waitUntil(`${name}: the end`, WAIT_MS, () =>
        frames === undefined ? one.closed !== '' : one.frames.length >= frames,
      );
      return one.show();
    } finally {
      one.socket.terminate();
    }
  });
  pair.check(name, shown.reference, shown.underTest);
}
