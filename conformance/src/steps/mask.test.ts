import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Identity, maskText, sortLines } from './mask.ts';

const identity: Identity = {
  members: [{ suffix: '', clientPort: 32379, peerPort: 32380, dataDir: '/tmp/data', id: 0x628814f18bcf3een }],
  scratchDir: '/tmp/work',
  clusterId: 13455796455940752355n,
  captured: new Map([['LEASE', '3cee4f18bcf3ee01']]),
};

test('identities are masked in hex and decimal, padded or not', () => {
  assert.equal(maskText('Member  628814f18bcf3ee added', identity, []), 'Member <member> added');
  assert.equal(maskText('"member_id":443746740013429742,', identity, []), '"member_id":<member>,');
  assert.equal(maskText('lease 3cee4f18bcf3ee01 and 4390533654400724481', identity, []), 'lease <LEASE> and <LEASE>');
  assert.equal(maskText('http://127.0.0.1:32380', identity, []), 'http://127.0.0.1:<peer-port>');
});

test('times, sizes and versions are masked, granted times and revisions are not', () => {
  assert.equal(maskText('took = 1.234567ms', identity, []), 'took = <time>');
  assert.equal(maskText('TTL(600s), remaining(599s)', identity, []), 'TTL(600s), remaining(<time>)');
  assert.equal(maskText('3.4.23, 25 kB', identity, []), '<version>, <size>');
  assert.equal(maskText('"revision":32,"raft_term":2', identity, []), '"revision":32,"raft_term":2');
});

test('it is the same whichever side notices that the time of a call is over', () => {
  const masked = 'rpc error: code = DeadlineExceeded desc = <deadline>';
  assert.equal(maskText('rpc error: code = DeadlineExceeded desc = context deadline exceeded', identity, []), masked);
  assert.equal(maskText('rpc error: code = Unknown desc = context deadline exceeded', identity, []), masked);
});

test('masks of a step come first', () => {
  assert.equal(maskText('hash 12', identity, [{ pattern: /hash \d+/g, replacement: 'hash <n>' }]), 'hash <n>');
});

test('members of a cluster keep their numbers, and terms are masked', () => {
  const place = { clientPort: 1001, peerPort: 1002, dataDir: '/tmp/d', id: undefined };
  const members = [
    { ...place, suffix: '1', id: 0x1234567890abcdefn },
    { ...place, suffix: '2', clientPort: 2001, id: 0x2234567890abcdefn },
    { ...place, suffix: '3', clientPort: 3001 },
  ];
  const masked = maskText(
    '2234567890abcdef 127.0.0.1:2001 "raft_term":7, 1234567890abcdef',
    { ...identity, members },
    [],
  );
  assert.equal(masked, '<member2> 127.0.0.1:<client-port2> "raft_term":<term>, <member1>');
});

test('sorted output has array elements as lines', () => {
  assert.equal(sortLines('{"members":[{"ID":2},{"ID":1}]}\n'), ']}\n{"ID":1}\n{"ID":2}\n{"members":[\n');
});
