import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that wait behind the one that is answered; a client that sends more without reading is cut. */
const waitingMax = 100;

/** Serves what a client sends before it has its answers one by one, as Go's server does: each answer may be large. */
export class Pipeline {
  private readonly waiting = new WeakMap<Socket, (() => void)[]>();

  take(socket: Socket, response: ServerResponse, serve: () => void): void {
    const waiting = this.waiting.get(socket);
    const begin = () => {
      response.once('close', () => this.goOn(socket));
      serve();
    };
    if (waiting === undefined) {
      this.waiting.set(socket, []);
      begin();
    } else if (waiting.length < waitingMax) {
      waiting.push(begin);
    } else {
      socket.destroy();
    }
  }

  private goOn(socket: Socket): void {
    const next = socket.destroyed ? undefined : this.waiting.get(socket)?.shift();
    if (next === undefined) this.waiting.delete(socket);
    else next();
  }
}
