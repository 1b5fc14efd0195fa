import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '@quorate/base';
import { silentLogger } from '@quorate/base';
import {
  ConfChangeType,
  createMessage,
  type Entry,
  MemoryStorage,
  type Message,
  MessageType,
  RawNode,
} from '@quorate/raft';
import type { ReplicaLimits } from './contract.ts';
import { noPeers } from './peer-network.ts';
import { Replica } from './replica.ts';
import { RequestIds } from './request-ids.ts';

const heartbeatMs = 10;

/** Time and turns by hand. */
class StepClock implements Clock {
  now = 0;
  private deferred: (() => void)[] = [];
  private timers: { at: number; callback: () => void }[] = [];
  nowMs(): number {
    return this.now;
  }
  wallMs(): number {
    return this.now;
  }
  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { at: this.now + delayMs, callback };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }
  defer(callback: () => void): void {
    this.deferred.push(callback);
  }
  /** Runs turns, and the promises between them, until nothing is left to do. */
  async settle(): Promise<void> {
    do {
      for (const callback of this.deferred.splice(0)) callback();
      await new Promise(setImmediate);
    } while (this.deferred.length > 0);
  }
  async advance(ms: number): Promise<void> {
    this.now += ms;
    const due = this.timers.filter((timer) => timer.at <= this.now);
    this.timers = this.timers.filter((timer) => timer.at > this.now);
    for (const timer of due) timer.callback();
    await this.settle();
  }
}

/** One voter over a log that is durable at once and a machine that only counts. */
function makeReplica(limits: Partial<ReplicaLimits> = {}, voters: readonly bigint[] = [1n]) {
  const clock = new StepClock();
  const raftStorage = new MemoryStorage();
  const node = new RawNode({
    id: 1n,
    electionTick: 10,
    heartbeatTick: 1,
    storage: raftStorage,
    random: { nextUint32: () => 0 },
    maxSizePerMsg: 1024,
    maxInflightMsgs: 16,
  });
  node.bootstrap(voters.map((id) => ({ id })));
  const world = {
    clock,
    node,
    applied: [] as Entry[],
    fatal: [] as unknown[],
    /** By how much the machine claims to be behind. */
    lag: 0,
    caughtUp: undefined as Promise<void> | undefined,
    onApply: () => {},
    sync: () => Promise.resolve(),
  };
  let appliedIndex = 0;
  const replica = new Replica<number>(
    {
      clock,
      logger: silentLogger,
      node,
      raftStorage,
      log: { append() {}, sync: () => world.sync() },
      machine: {
        get appliedIndex() {
          return appliedIndex - world.lag;
        },
        apply(entry) {
          appliedIndex = entry.index;
          world.applied.push(entry);
          world.onApply();
        },
        applyConfChange(entry) {
          appliedIndex = entry.index;
          return node.applyConfChange({
            type: ConfChangeType.AddNode,
            nodeId: voters[entry.index - 1] as bigint,
            id: 0n,
            context: new Uint8Array(0),
          });
        },
        batchApplied() {},
        backlog: () => world.caughtUp,
      },
      network: noPeers,
      ids: new RequestIds(1n, 0),
      onFatal: (error) => world.fatal.push(error),
      onRoleChange() {},
      flushAnswers() {},
      saveSnapshot: () => Promise.reject(new Error('no snapshots here')),
      installSnapshot: () => Promise.reject(new Error('no snapshots here')),
    },
    {
      confState: node.applyConfChange({
        type: ConfChangeType.AddNode,
        nodeId: 0n,
        id: 0n,
        context: new Uint8Array(0),
      }),
      heartbeatMs,
      electionMs: 10 * heartbeatMs,
      requestTimeoutMs: 1000,
      requestBytesMax: 1000,
      priorityFields: new Set([9]),
      limits,
    },
  );
  return { world, replica };
}

const payloads = (entries: readonly Entry[]): number => entries.filter((entry) => entry.data.length > 0).length;

test('proposals wait while the disk lags behind, and go on when it has caught up', async () => {
  const { world, replica } = makeReplica();
  replica.start();
  await world.clock.settle();
  assert.equal(replica.isLeader, true);
  let release = () => {};
  world.caughtUp = new Promise((resolve) => {
    release = resolve;
  });
  const failures: string[] = [];
  const call = { applied() {}, failed: (symbol: string) => void failures.push(symbol) };
  replica.propose(4, new Uint8Array(3), call);
  await world.clock.advance(heartbeatMs);
  assert.deepEqual([payloads(world.applied), replica.pendingProposals, replica.isLeader], [0, 1, true]);
  world.caughtUp = undefined;
  release();
  await world.clock.settle();
  assert.equal(payloads(world.applied), 1);
  assert.deepEqual(failures, []);
  replica.stop();
});

test('far behind in applying it refuses requests, before it looks at them; some only at twice the gap', async () => {
  const { world, replica } = makeReplica({ applyGapMax: 50 });
  replica.start();
  await world.clock.settle();
  const propose = (field: number, bytes = 3) => {
    let answer = 'taken';
    const failed = (symbol: string) => {
      answer = symbol;
    };
    replica.propose(field, new Uint8Array(bytes), { applied() {}, failed });
    return answer;
  };
  for (const [lag, ordinary, priority] of [
    [50, 'taken', 'taken'],
    [51, 'ErrGRPCRequestTooManyRequests', 'taken'],
    [100, 'ErrGRPCRequestTooManyRequests', 'taken'],
    [101, 'ErrGRPCRequestTooManyRequests', 'ErrGRPCRequestTooManyRequests'],
  ] as const) {
    world.lag = lag;
    assert.deepEqual([propose(4), propose(9)], [ordinary, priority], `${lag} behind`);
    await world.clock.settle();
  }
  assert.equal(propose(4, 5000), 'ErrGRPCRequestTooManyRequests');
  world.lag = 0;
  assert.equal(propose(4, 5000), 'ErrGRPCRequestTooLarge');
  replica.stop();
});

test('a stop from within the state machine is not undone by the turn it comes in', async () => {
  const { world, replica } = makeReplica();
  replica.start();
  await world.clock.settle();
  world.onApply = () => replica.stop();
  const failures: string[] = [];
  const call = { applied() {}, failed: (symbol: string) => void failures.push(symbol) };
  replica.propose(4, new Uint8Array(3), call);
  await world.clock.settle();
  assert.deepEqual(failures, ['ErrGRPCStopped']);
  replica.propose(4, new Uint8Array(3), call);
  await world.clock.advance(heartbeatMs);
  assert.deepEqual(failures, ['ErrGRPCStopped', 'ErrGRPCStopped']);
  assert.equal(payloads(world.applied), 1);
  assert.deepEqual(world.fatal, []);
});

test('what breaks while ticking is fatal and told, not thrown', async () => {
  const { world, replica } = makeReplica();
  replica.start();
  await world.clock.settle();
  const broken = new Error('broken');
  world.node.tick = () => {
    throw broken;
  };
  await world.clock.advance(heartbeatMs);
  assert.deepEqual(world.fatal, [broken]);
  await world.clock.advance(heartbeatMs);
  assert.equal(world.fatal.length, 1);
});

test('when applying breaks while the disk fails as well, the first is told, and nothing is left unheard', async () => {
  const { world, replica } = makeReplica();
  replica.start();
  await world.clock.settle();
  const call = { applied() {}, failed() {} };
  world.sync = () => {
    // While the first is written the second comes: the first is applied while that is written.
    replica.propose(4, new Uint8Array(3), call);
    world.sync = () => Promise.reject(new Error('disk'));
    return Promise.resolve();
  };
  const broken = new Error('broken');
  world.onApply = () => {
    throw broken;
  };
  replica.propose(4, new Uint8Array(3), call);
  // A rejection that nobody hears fails this test.
  await world.clock.settle();
  assert.deepEqual(world.fatal, [broken]);
});

test('messages and reads beyond their limits are turned away', async () => {
  const { world, replica } = makeReplica({ receivedMessagesMax: 2, waitingReadsMax: 1 }, [1n, 2n]);
  replica.start();
  await world.clock.settle();
  const stepped: Message[] = [];
  world.node.step = (message) => {
    stepped.push(message as Message);
    return undefined;
  };
  for (let i = 0; i < 3; i++) replica.receive({ type: MessageType.MsgHeartbeat, from: 2n, to: 1n } as Message);
  const log: string[] = [];
  const read = { readable: () => log.push('readable'), failed: (symbol: string) => void log.push(symbol) };
  replica.linearizableRead(read);
  replica.linearizableRead(read);
  await world.clock.settle();
  assert.equal(stepped.length, 2);
  assert.deepEqual(log, ['ErrGRPCRequestTooManyRequests']);
  // There is no leader to ask: the first one waits its time.
  await world.clock.advance(1000);
  assert.deepEqual(log, ['ErrGRPCRequestTooManyRequests', 'ErrGRPCTimeout']);
  replica.stop();
});

test('what is proposed in the turn that loses the leader waits for another one', async () => {
  const { world, replica } = makeReplica({}, [1n, 2n]);
  replica.start();
  await world.clock.settle();
  replica.receive(createMessage({ type: MessageType.MsgHeartbeat, from: 2n, to: 1n, term: 2 }));
  await world.clock.settle();
  const leader = () => replica.leader;
  assert.equal(leader(), 2n);
  const failures: string[] = [];
  const call = { applied() {}, failed: (symbol: string) => void failures.push(symbol) };
  while (leader() !== 0n) {
    replica.propose(4, new Uint8Array(3), call);
    await world.clock.advance(heartbeatMs);
  }
  assert.deepEqual(failures, []);
  assert.ok(replica.pendingProposals > 0);
  replica.stop();
});
