import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpenStreams } from './member-context.ts';

test('losing the leader ends the streams that asked for one, closing ends all', () => {
  const streams = new OpenStreams();
  const log: string[] = [];
  streams.add((symbol) => log.push(`a ${symbol}`), true);
  streams.add((symbol) => log.push(`b ${symbol}`), false);
  const forget = streams.add((symbol) => log.push(`c ${symbol}`), true);
  forget();
  streams.leaderLost();
  streams.leaderLost();
  assert.deepEqual(log, ['a ErrGRPCNoLeader']);
  assert.deepEqual([streams.size, streams.isClosed], [1, false]);
  streams.close('ErrGRPCStopped');
  assert.deepEqual(log.slice(1), ['b ErrGRPCStopped']);
  assert.deepEqual([streams.size, streams.isClosed], [0, true]);
});
