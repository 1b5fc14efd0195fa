import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Flag, flags } from './flag-table.ts';
import { checkValue } from './values.ts';

const flag = (name: string) => flags.find((each) => each.name === name) as Flag;
const value = (name: string, text: string) => {
  const checked = checkValue(flag(name), text);
  return 'reason' in checked ? checked.reason : checked.value;
};

test('integers are read as Go source has them', () => {
  for (const [text, read] of [
    ['0x10', '16'],
    ['010', '8'],
    ['0o17', '15'],
    ['1_000', '1000'],
    ['0b101', '5'],
    ['0', '0'],
    ['18446744073709551615', '18446744073709551615'],
    ['18446744073709551616', 'value out of range'],
    ['+1', 'parse error'],
    ['08', 'parse error'],
    ['1__0', 'parse error'],
    ['', 'parse error'],
  ] as const) {
    assert.equal(value('max-txn-ops', text), read, text);
  }
  assert.equal(value('quota-backend-bytes', '-0x10'), '-16');
  assert.equal(value('max-concurrent-streams', '4294967295'), '4294967295');
  assert.match(value('max-concurrent-streams', '4294967296'), /ParseUint: parsing "4294967296": value out of range/);
});

test('URLs are refused in the words of Go', () => {
  for (const [text, reason] of [
    ['127.0.0.1:1', 'parse "127.0.0.1:1": first path segment in URL cannot contain colon'],
    [':1', 'parse ":1": missing protocol scheme'],
    ['localhost:1', 'URL scheme must be http, https, unix, or unixs: localhost:1'],
    ['http://h', 'URL address does not have the form "host:port": http://h'],
    ['http://h:1/', 'URL must not contain a path: http://h:1/'],
    ['http://[::1:1', 'parse "http://[::1:1": missing \']\' in host'],
    ['http://a:b', 'parse "http://a:b": invalid port ":b" after host'],
    ['http://h:1,', 'URL scheme must be http, https, unix, or unixs: '],
  ] as const) {
    assert.equal(value('listen-peer-urls', text), reason);
  }
  assert.equal(value('listen-peer-urls', 'http://h:1,unix:///run/x'), 'http://h:1,unix:///run/x');
  assert.equal(value('listen-peer-urls', ''), 'http://localhost:2380');
  assert.equal(value('cors', '*,http://h:1'), '*,http://h:1');
});

test('feature gates are refused where they stand', () => {
  assert.equal(value('feature-gates', 'AllAlpha'), 'missing bool value for AllAlpha');
  assert.equal(value('feature-gates', 'x=1'), 'unrecognized feature gate: x');
  assert.match(value('feature-gates', 'AllAlpha=2'), /^invalid value of AllAlpha=2, err: strconv.ParseBool/);
});
