import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { hexFromBytes, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { makeBootstrap } from './bootstrap.ts';
import { parseJson } from './json.ts';
import { type Member, makeClusterId, makeMemberId } from './member.ts';
import { decodeMembers, encodePromotion, membersJson } from './member-json.ts';
import { checkPeerUrls } from './member-urls.ts';
import {
  isHealthyForAdd,
  isHealthyForRemove,
  isReadyToAddVoter,
  isReadyToPromote,
  isReadyToRemove,
} from './reconfiguration.ts';
import { encodeV2Attributes, encodeV2Version } from './v2-request.ts';
import { compareVersions, parseVersion } from './version.ts';

const sha1 = (bytes: Uint8Array) => new Uint8Array(createHash('sha1').update(bytes).digest());

// Ids seen from real servers.
const ids: { urls: string[]; token: string; seconds?: number; id: bigint }[] = [
  { urls: ['http://127.0.0.1:23801'], token: 'tok', id: 0x4036b1db24775ea0n },
  { urls: ['http://127.0.0.1:23802'], token: 'tok', id: 0x2737ecedbf2a9065n },
  { urls: ['http://localhost:2380'], token: 'etcd-cluster', id: 0x8e9e05c52164694dn },
  { urls: ['http://127.0.0.1:28802'], token: '', seconds: 1795179751, id: 0xd0bd7a712d7602efn },
];
for (const { urls, token, seconds, id } of ids) {
  test(`member id of ${urls}, token "${token}", time ${seconds}: ${id.toString(16)}`, () => {
    assert.equal(makeMemberId(sha1, urls, token, seconds), id);
  });
}

test('URLs are sorted before they are hashed', () => {
  assert.equal(
    makeMemberId(sha1, ['http://b:1', 'http://a:1'], 't'),
    makeMemberId(sha1, ['http://a:1', 'http://b:1'], 't'),
  );
});

test('a new cluster: ids, and its first entries by ascending id', () => {
  assert.equal(makeClusterId(sha1, [0x4036b1db24775ea0n, 0x2737ecedbf2a9065n]), 0xa70b7b723c713c11n);
  const bootstrap = makeBootstrap(
    sha1,
    [
      { name: 'a', peerUrls: ['http://127.0.0.1:23801'] },
      { name: 'b', peerUrls: ['http://127.0.0.1:23802'] },
    ],
    'tok',
  );
  assert.equal(bootstrap.clusterId, 0xa70b7b723c713c11n);
  assert.deepEqual(
    bootstrap.changes.map((each) => utf8FromBytes(each.context)),
    [
      '{"id":2825987797056917605,"peerURLs":["http://127.0.0.1:23802"],"name":"b"}',
      '{"id":4627081221937520288,"peerURLs":["http://127.0.0.1:23801"],"name":"a"}',
    ],
  );
  const twice = [
    { name: 'a', peerUrls: ['http://a:1'] },
    { name: 'b', peerUrls: ['http://a:1'] },
  ];
  assert.throws(() => makeBootstrap(sha1, twice, 'tok'), { code: 'membership/duplicate-id' });
});

test('the member list of the peer port, there and back', () => {
  const text =
    '[{"id":2825987797056917605,"peerURLs":["http://127.0.0.1:23802"],"name":"b"},' +
    '{"id":4627081221937520288,"peerURLs":["http://127.0.0.1:23801"],"name":"a","clientURLs":["http://127.0.0.1:23791"]}]';
  const members = decodeMembers(utf8ToBytes(`${text}\n`));
  assert.equal(members[1]?.id, 0x4036b1db24775ea0n);
  assert.equal(membersJson(members), text);
  assert.equal(utf8FromBytes(encodePromotion(5n)), '{"id":5,"peerURLs":null,"isPromote":true}');
});

for (const bad of [
  '',
  '{',
  '[{"id":-1}]',
  '[{"id":1e3}]',
  '[{"id":18446744073709551616}]',
  '{}',
  '[3]',
  '[{"name":1}]',
]) {
  test(`bad member list: ${bad}`, () => {
    assert.throws(() => decodeMembers(utf8ToBytes(bad)), { code: 'membership/bad-json' });
  });
}

// What JSON.parse accepts, with integers kept exact; and what it refuses.
for (const text of [
  '[1,-2,0.5,1e3,"a\\n\\u0041\\"",true,false,null,{},[],{"a":{"b":[{}]}}]',
  ' [ 1 , { "a" : 2 } ] ',
]) {
  test(`JSON ${text}`, () => {
    const plain = (value: unknown): unknown =>
      typeof value === 'bigint'
        ? Number(value)
        : Array.isArray(value)
          ? value.map(plain)
          : value instanceof Map
            ? Object.fromEntries([...value].map(([name, inner]) => [name, plain(inner)]))
            : value;
    assert.deepEqual(plain(parseJson(text)), JSON.parse(text));
  });
}
for (const text of [
  '01',
  '1.',
  '+1',
  '[1,]',
  '{"a":1,}',
  '"a',
  '"\n"',
  'nul',
  '[',
  '{"a"}',
  '1 2',
  '{1:2}',
  '['.repeat(99),
]) {
  test(`malformed JSON ${JSON.stringify(text.slice(0, 20))}`, () => {
    assert.throws(() => parseJson(text), { code: 'json/malformed' });
  });
}

// Row 84 and its kin.
const peerUrls: [string[], string[] | undefined][] = [
  [['foo:123'], undefined],
  [[], undefined],
  [['http://a'], undefined],
  [['http://a:1/path'], undefined],
  [['http://a:x'], undefined],
  [['ftp://a:1'], undefined],
  [['http://a:1', 'b'], undefined],
  [
    [' HTTP://b:1', 'https://[::1]:2380 '],
    ['http://b:1', 'https://[::1]:2380'],
  ],
  [
    ['unix://a:1', 'unixs:///tmp/x'],
    ['unix://a:1', 'unixs:///tmp/x'],
  ],
];
for (const [urls, checked] of peerUrls) {
  test(`peer URLs ${JSON.stringify(urls)}: ${checked === undefined ? 'bad' : 'good'}`, () => {
    assert.deepEqual(checkPeerUrls(urls), checked);
  });
}

/** `S` a started voter, `v` one not started, `L` a learner; ids count from 1. */
function members(kinds: string): Member[] {
  return [...kinds].map((kind, i) => ({
    id: BigInt(i + 1),
    name: kind === 'S' ? 'x' : '',
    peerUrls: [],
    clientUrls: [],
    isLearner: kind === 'L',
  }));
}

test('strict checks of started members', () => {
  const mayAdd = {
    S: true,
    v: false,
    SS: true,
    Sv: false,
    SSS: true,
    SSv: false,
    SSSS: true,
    SSSv: true,
    SSvv: false,
    SL: true,
  };
  for (const [kinds, expected] of Object.entries(mayAdd)) {
    assert.equal(isReadyToAddVoter(members(kinds)), expected, `add to ${kinds}`);
  }
  const mayPromote = { SL: true, SvL: true, SvvL: false, SSvL: true, SSL: true };
  for (const [kinds, expected] of Object.entries(mayPromote)) {
    assert.equal(isReadyToPromote(members(kinds)), expected, `promote in ${kinds}`);
  }
  // The last one of each is removed.
  const mayRemove = { S: false, SS: true, vS: false, Sv: true, SSS: true, SvS: false, SSv: true, vL: true, SL: true };
  for (const [kinds, expected] of Object.entries(mayRemove)) {
    assert.equal(isReadyToRemove(members(kinds), BigInt(kinds.length)), expected, `remove from ${kinds}`);
  }
});

test('strict checks of connected members', () => {
  assert.equal(isHealthyForAdd(members('S'), 0), true);
  assert.equal(isHealthyForAdd(members('SSS'), 2), false);
  assert.equal(isHealthyForAdd(members('SSSL'), 3), true);
  assert.equal(isHealthyForRemove(members('SSS'), 3), true);
  assert.equal(isHealthyForRemove(members('SSS'), 2), false);
  assert.equal(isHealthyForRemove(members('SSSSS'), 3), false);
  assert.equal(isHealthyForRemove(members('SSSSS'), 4), true);
});

test('versions compare by number', () => {
  assert.deepEqual(parseVersion('3.7.1'), [3, 7, 1]);
  assert.deepEqual(parseVersion('3.7'), [3, 7, 0]);
  assert.equal(parseVersion('3'), undefined);
  assert.equal(parseVersion('a.b.c'), undefined);
  assert.ok(compareVersions('3.10.0', '3.9.9') > 0);
  assert.ok(compareVersions('3.6.0', '3.6.1-rc.0') < 0);
  assert.equal(compareVersions('3.6.0', '3.6'), 0);
});

test('entries of the old form are those a real server wrote', () => {
  assert.equal(
    hexFromBytes(encodeV2Version(1n, '3.4.0')),
    '0801120350555' + '41a0a2f302f76657273696f6e2205332e342e30' + '2800320038004800500058006000680070007800800100',
  );
  const attributes = utf8FromBytes(encodeV2Attributes(7n, 0xc437c30fb21fc940n, 'a', ['http://127.0.0.1:23791']));
  assert.ok(attributes.includes('/0/members/c437c30fb21fc940/attributes'));
  assert.ok(attributes.includes('{"name":"a","clientURLs":["http://127.0.0.1:23791"]}'));
});
