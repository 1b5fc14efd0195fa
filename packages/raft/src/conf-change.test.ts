import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfChangeTransition,
  ConfChangeType,
  createConfChange,
  createConfChangeV2,
  describeConfChange,
  describeConfChanges,
  isLeaveJoint,
  jointTransition,
  parseConfChanges,
} from './conf-change.ts';
import { decodeConfChange, decodeConfChangeV2, encodeConfChange, encodeConfChangeV2 } from './conf-change-codec.ts';
import { describeMessage } from './describe.ts';
import { createMessage, MessageType } from './message.ts';
import { quote } from './quote.ts';
import { LOCAL_APPEND_THREAD } from './state.ts';
import { bytesOf } from './testing/bytes-of.ts';
import { Inflights } from './tracker/inflights.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('encodes changes as protobuf, zeros included but for the id', () => {
  const change = createConfChange({ id: 300n, type: ConfChangeType.AddNode, nodeId: 1n, context: bytesOf('x') });
  assert.equal(hex(encodeConfChange(change)), '08ac02100018012201' + '78');
  assert.deepEqual(decodeConfChange(encodeConfChange(change)), change);
  const withoutId = createConfChange({ type: ConfChangeType.AddNode, nodeId: 1n });
  assert.equal(hex(encodeConfChange(withoutId)), '10001801');
  assert.deepEqual(decodeConfChange(encodeConfChange(withoutId)), withoutId);
  const changeV2 = createConfChangeV2({
    transition: ConfChangeTransition.JointExplicit,
    changes: [{ type: ConfChangeType.AddLearnerNode, nodeId: 0xffff_ffff_ffff_fffdn }],
    context: bytesOf('y'),
  });
  assert.equal(hex(encodeConfChangeV2(changeV2)), '0802120d080310fdffffffffffffffff011a0179');
  assert.deepEqual(decodeConfChangeV2(encodeConfChangeV2(changeV2)), changeV2);
  assert.equal(hex(encodeConfChangeV2(createConfChangeV2({}))), '0800');
});

test('decodes what is left out as zero and skips what is unknown', () => {
  assert.deepEqual(decodeConfChangeV2(new Uint8Array(0)), createConfChangeV2({}));
  assert.deepEqual(
    decodeConfChange(Uint8Array.of(0x38, 1, 0x41, 1, 2, 3, 4, 5, 6, 7, 8, 0x4a, 1, 0, 0x55, 1, 2, 3, 4, 0x18, 5)),
    createConfChange({ type: ConfChangeType.AddNode, nodeId: 5n }),
  );
  const malformed = [[0x18], [0x22, 5, 1], [0x10, 9], [0x43], Array(12).fill(0xff), [0x41, 1]];
  for (const bytes of malformed) assert.throws(() => decodeConfChange(Uint8Array.from(bytes)), /malformed|unknown/);
});

test('reads changes as tokens and says which it can not read', () => {
  const text = 'v1 l2 r3 u18446744073709551615';
  assert.equal(describeConfChanges(parseConfChanges(` ${text.replaceAll(' ', '\n')} `)), text);
  assert.deepEqual(parseConfChanges(''), []);
  const refused: [string, RegExp][] = [
    ['v', /^unknown token v$/],
    ['x1', /^unknown input: x1$/],
    ['v-1', /^strconv\.ParseUint: parsing "-1": invalid syntax$/],
    ['v18446744073709551616', /^strconv\.ParseUint: parsing "18446744073709551616": value out of range$/],
  ];
  for (const [token, message] of refused) assert.throws(() => parseConfChanges(token), { message });
});

test('knows which changes are joint', () => {
  const changes = [{ type: ConfChangeType.AddNode, nodeId: 1n }];
  assert.equal(jointTransition(createConfChangeV2({ changes })), undefined);
  assert.deepEqual(jointTransition(createConfChangeV2({ changes: [...changes, ...changes] })), { autoLeave: true });
  const explicit = createConfChangeV2({ changes, transition: ConfChangeTransition.JointExplicit });
  assert.deepEqual(jointTransition(explicit), { autoLeave: false });
  assert.equal(isLeaveJoint(createConfChangeV2({ context: bytesOf('why') })), true);
  assert.equal(
    describeConfChange(explicit),
    'transition:ConfChangeTransitionJointExplicit changes:{type:ConfChangeAddNode node_id:1}',
  );
  assert.equal(
    describeConfChange(
      createConfChange({ id: 9n, type: ConfChangeType.RemoveNode, nodeId: 2n, context: bytesOf('é"') }),
    ),
    'transition:ConfChangeTransitionAuto changes:{type:ConfChangeRemoveNode node_id:2} context:"é\\""',
  );
  assert.equal(describeConfChange(createConfChangeV2({})), 'transition:ConfChangeTransitionAuto');
});

test('inflight windows grow, wrap and free by index', () => {
  const window = new Inflights(10, 100);
  for (let i = 1; i <= 10; i++) window.add(i, 1);
  assert.equal(window.isFull(), true);
  assert.throws(() => window.add(11, 1), /full/);
  window.freeUpTo(7);
  assert.equal(window.count, 3);
  for (let i = 11; i <= 16; i++) window.add(i, 1);
  window.freeUpTo(12);
  assert.equal(window.count, 4);
  assert.equal(window.bytes, 4);
  window.add(17, 96);
  assert.equal(window.isFull(), true, 'by bytes');
  window.freeUpTo(17);
  assert.deepEqual([window.count, window.bytes], [0, 0]);
});

test('quotes bytes and describes messages', () => {
  assert.equal(quote(bytesOf('a"\\\n\u0001\u007f')), '"a\\"\\\\\\n\\x01\\x7f"');
  assert.equal(quote(new TextEncoder().encode('é世\u{1f600}\u200b')), '"é世😀\\u200b"');
  assert.equal(quote(Uint8Array.of(0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80)), '"\\xff\\xc3(\\xed\\xa0\\x80"');
  const message = createMessage({
    type: MessageType.MsgAppResp,
    from: LOCAL_APPEND_THREAD,
    to: 0xabcn,
    term: 2,
    index: 3,
    reject: true,
    rejectHint: 1,
  });
  assert.equal(describeMessage(message), 'AppendThread->abc MsgAppResp Term:2 Log:0/3 Rejected (Hint: 1)');
});
