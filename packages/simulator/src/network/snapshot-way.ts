import { CodedError } from '@quorate/base';
import type { Message } from '@quorate/raft';
import { decodeMessage, encodeMessage, type PeerSource } from 'quorate/parts';
import type { Machine } from '../cluster/machine.ts';
import type { Network } from './network.ts';

/** A member without a word for so long gives the transfer up. */
const silenceMs = 5_000;

interface Transfer {
  readonly network: Network;
  readonly from: Machine;
  readonly to: Machine;
  readonly source: PeerSource;
  readonly message: Message;
}

/** Sends a database, chunk by chunk as the receiver takes them. Rejects when either machine or the way fails. */
export async function sendSnapshot(transfer: Transfer): Promise<void> {
  const { network, from, to, source, message } = transfer;
  const outgoing = await source.openSnapshot(message);
  const chunks = outgoing.chunks()[Symbol.asyncIterator]();
  try {
    const bytes = encodeMessage(outgoing.message);
    await remotely(network, from, to, () => {
      const door = to.member?.door;
      if (door === undefined) throw new CodedError('peer/unreachable', 'it is not open yet');
      const ask = () =>
        remotely(network, to, from, async () => {
          const next = await chunks.next();
          return next.done === true ? undefined : next.value.slice();
        });
      return door.receiveSnapshot(decodeMessage(bytes), pulled(ask));
    });
  } finally {
    outgoing.close();
  }
}

async function* pulled(ask: () => Promise<Uint8Array | undefined>): AsyncIterable<Uint8Array> {
  for (;;) {
    const chunk = await ask();
    if (chunk === undefined) return;
    yield chunk;
  }
}

/** Runs `action` on `there` for `here`, and brings back what came of it; rejects when nothing comes for too long. */
function remotely<Result>(
  network: Network,
  here: Machine,
  there: Machine,
  action: () => Promise<Result> | Result,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const { scheduler } = network;
    const { currentLife } = here;
    let isOver = false;
    // What a life that has ended had asked for does not go on in the next one.
    const settle = (how: () => void) => {
      if (!here.lives(currentLife)) return;
      here.at(scheduler.nowMs, () => {
        if (isOver) return;
        isOver = true;
        how();
      });
    };
    const lost = (text: string) => settle(() => reject(new CodedError('peer/unreachable', text)));
    const look = () => {
      here.at(scheduler.nowMs + silenceMs, () => {
        if (isOver) return;
        if (!there.lives(life) || network.isCut(here.name, there.name)) lost('the way is cut');
        else look();
      });
    };
    const life = there.currentLife;
    look();
    /** What is lost on the way is the end of the connection, which is found out in a while. */
    const over = (isSent: boolean) => {
      if (!isSent) here.at(scheduler.nowMs + silenceMs, () => lost('the connection is broken'));
    };
    const back = (how: () => void) => over(network.segment(there.name, here.name, () => settle(how)));
    const isSent = network.segment(here.name, there.name, () => {
      if (!there.isAlive) return lost('connection refused');
      there.at(scheduler.nowMs, () => {
        const { currentLife: answering } = there;
        const answer = (how: () => void) => {
          if (there.lives(answering)) back(how);
        };
        Promise.resolve()
          .then(action)
          .then((result) => answer(() => resolve(result)))
          .catch((error: unknown) => answer(() => reject(error)));
      });
    });
    over(isSent);
  });
}
