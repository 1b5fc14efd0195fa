import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorSymbol } from '@quorate/api';
import { type Clock, MemoryDisk, silentLogger } from '@quorate/base';
import { Cluster } from '@quorate/machine';
import { openBackend } from '@quorate/storage';
import type { ProposalOutcome } from '../rpc/proposals.ts';
import { Publisher } from './publisher.ts';

test('what is refused at once is said again later, not in the turn that refused it', async () => {
  const timers: (() => void)[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    wallMs: () => 0,
    setTimer(_delayMs, callback) {
      timers.push(callback);
      return { cancel: () => void timers.splice(timers.indexOf(callback), 1) };
    },
    defer: (callback) => void setImmediate(callback),
  };
  let refusal: ErrorSymbol | undefined = 'ErrGRPCRequestTooManyRequests';
  const proposed: ProposalOutcome[] = [];
  const backend = await openBackend({ disk: new MemoryDisk(), clock }, '/db', {
    onFatal: (error) => assert.fail(String(error)),
  });
  const publisher = new Publisher({
    clock,
    proposals: {
      propose(_field, _request, outcome) {
        proposed.push(outcome);
        if (refusal !== undefined) outcome.failed(refusal);
      },
    },
    cluster: new Cluster({ backend }),
    logger: silentLogger,
    memberId: 1n,
    name: 'a',
    clientUrls: [],
  });
  publisher.leaderKnown(false);
  publisher.leaderKnown(false);
  assert.deepEqual([proposed.length, timers.length], [1, 1]);
  refusal = undefined;
  timers.shift()?.();
  assert.equal(proposed.length, 2);
  proposed[1]?.applied({ kind: 'done', revision: 1 });
  await publisher.published;

  proposed[1]?.failed('ErrGRPCTimeout');
  assert.equal(timers.length, 1);
  publisher.stop();
  assert.equal(timers.length, 0);
  await backend.close();
});
