import { etcdserverpb, services } from '@quorate/api';
import { utf8ToBytes } from '@quorate/base';
import { GrpcStatus } from '@quorate/transport';
import type { GuestOperation } from '../history/history.ts';
import { chance, exponential, pick } from '../world/random-sources.ts';
import type { ClientDeps } from './client-deps.ts';
import { guestKey } from './users.ts';

const timeoutMs = 2_000;
const pauseMs = 40;

/** Tries to write and to read what it may at some times only. */
export class GuestClient {
  private readonly deps: ClientDeps<GuestOperation>;

  constructor(deps: ClientDeps<GuestOperation>) {
    this.deps = deps;
  }

  async run(isOver: () => boolean): Promise<void> {
    const { random, network, port, machines, record } = this.deps;
    const { scheduler, trace } = network;
    const { Put, Range } = services.KV.methods;
    for (let i = 0; !isOver(); i++) {
      await scheduler.delay(exponential(random, pauseMs));
      const machine = pick(random, machines);
      // A token must be there first: the time that matters is that of the request itself.
      if ((await port.tokenAt(machine)) === undefined) continue;
      const invokedMs = scheduler.nowMs;
      const isWrite = chance(random, 0.5);
      const outcome = isWrite
        ? await port.call(
            machine,
            Put,
            etcdserverpb.PutRequest.create({ key: guestKey, value: utf8ToBytes(`g${i}`) }),
            {
              timeoutMs,
            },
          )
        : await port.call(machine, Range, etcdserverpb.RangeRequest.create({ key: guestKey }), { timeoutMs });
      const isDenied = outcome.kind === 'refused' && outcome.code === GrpcStatus.permissionDenied;
      trace.note(port.name, `${isWrite ? 'put' : 'get'} at ${machine.name}: ${isDenied ? 'denied' : outcome.kind}`);
      if (outcome.kind !== 'ok' && !isDenied) continue;
      const what = isWrite ? 'put' : 'get';
      record({ what, member: machine.name, isDenied, invokedMs, returnedMs: scheduler.nowMs });
    }
  }
}
