import type { HeaderList, HttpAnswer, HttpRequest } from '../http-types.ts';
import { sendPaced } from '../paced.ts';

/** A request whose body the test feeds, and the answer as it comes. */
export class FakeExchange implements HttpAnswer {
  readonly request: HttpRequest;
  room: HttpAnswer['room'] = undefined;
  status = 0;
  headers: Record<string, string> = {};
  body = '';
  ended = false;
  /** What `write` answers. */
  hasRoom = true;
  bodyPaused = false;
  private dataCallback: (chunk: Uint8Array) => void = () => {};
  private endCallback: () => void = () => {};
  private drainCallback: () => void = () => {};
  private closeCallback: () => void = () => {};
  private whenEnded: () => void = () => {};
  /** Resolves when the answer is complete. */
  readonly answered = new Promise<void>((resolve) => {
    this.whenEnded = resolve;
  });

  constructor(method: string, target: string, headers: Record<string, string> = {}, more: Partial<HttpRequest> = {}) {
    this.request = {
      method,
      target,
      headers: { get: (name) => headers[name], entries: () => Object.entries(headers) },
      body: {
        onData: (callback) => {
          this.dataCallback = callback;
        },
        onEnd: (callback) => {
          this.endCallback = callback;
        },
        pause: () => {
          this.bodyPaused = true;
        },
        resume: () => {
          this.bodyPaused = false;
        },
      },
      secure: false,
      remoteAddress: '10.0.0.1:1234',
      commonName: '',
      ...more,
    };
  }

  feed(text: string): this {
    this.dataCallback(new TextEncoder().encode(text));
    return this;
  }

  endBody(): this {
    this.endCallback();
    return this;
  }

  drain(): void {
    this.hasRoom = true;
    this.drainCallback();
  }

  leave(): void {
    this.closeCallback();
  }

  send(status: number, headers: HeaderList, body: string | Uint8Array): void {
    if (this.ended) return;
    this.begin(status, headers);
    this.write(typeof body === 'string' ? body : new TextDecoder().decode(body));
    this.end();
  }

  begin(status: number, headers: HeaderList): void {
    this.status = status;
    this.headers = Object.fromEntries(headers);
  }

  sendPieces(status: number, headers: HeaderList, pieces: readonly Uint8Array[]): void {
    sendPaced(this, status, headers, pieces);
  }

  write(text: string | Uint8Array): boolean {
    this.body += typeof text === 'string' ? text : new TextDecoder().decode(text);
    return this.hasRoom;
  }

  end(): void {
    this.ended = true;
    this.whenEnded();
  }

  onDrain(callback: () => void): void {
    this.drainCallback = callback;
  }

  onClose(callback: () => void): void {
    this.closeCallback = callback;
  }
}
