import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listed } from '../bootstrap/testing/peers.ts';
import { allRun, decideClusterVersion } from './cluster-version.ts';
import { chooseForm } from './entry-form.ts';
import type { VersionTable } from './member-versions.ts';

const noDowngrade = { isEnabled: false, targetVersion: '' };

/** Members 1, 2 ... with these releases; `-` of one that does not answer. */
function tableOf(text: string): VersionTable {
  const servers = text === '' ? [] : text.split(' ');
  return new Map(
    servers.map((server, i) => [BigInt(i + 1), server === '-' ? undefined : { server, cluster: undefined }]),
  );
}

const decisions: readonly [current: string | undefined, members: string, decision: string | undefined][] = [
  [undefined, '3.7.1', '3.7.0'],
  [undefined, '3.7.1 3.4.23 3.6.2', '3.4.0'],
  [undefined, '3.7.1 -', '3.0.0'],
  ['3.0.0', '3.7.1 -', undefined],
  ['3.0.0', '3.7.1 3.4.23', '3.4.0'],
  ['3.4.0', '3.7.1 3.4.23', undefined],
  ['3.4.0', '3.7.1 -', undefined],
  ['3.4.0', '3.7.1 3.7.1', '3.7.0'],
  ['3.7.0', '3.7.1 3.6.0', undefined],
  ['3.7.0', '3.7.1 nonsense', undefined],
  ['3.7.0', '4.0.0', undefined],
];
for (const [current, members, decision] of decisions) {
  test(`a cluster of version ${current} with members ${members} becomes ${decision ?? 'no other'}`, () => {
    assert.equal(decideClusterVersion(current, tableOf(members), noDowngrade), decision);
  });
}

test('an enabled downgrade lowers the version by one, and only if it is one below the oldest member, too', () => {
  const decide = (current: string, members: string, targetVersion: string) => {
    const decision = decideClusterVersion(current, tableOf(members), { isEnabled: true, targetVersion });
    return typeof decision === 'object' ? 'a problem' : decision;
  };
  assert.equal(decide('3.7.0', '3.7.1 3.7.0', '3.6.0'), '3.6.0');
  assert.equal(decide('3.6.0', '3.7.1 3.7.0', '3.6.0'), undefined);
  assert.equal(decide('3.6.0', '3.7.1 3.6.0', '3.6.0'), undefined);
  assert.equal(decide('3.7.0', '3.7.1 -', '3.6.0'), undefined);
  assert.equal(decide('3.7.0', '3.7.1', '3.5.0'), 'a problem');
  assert.equal(decide('3.7.0', '3.7.1 3.6.4', '3.6.0'), 'a problem');
});

test('a downgrade is done when all members run its target', () => {
  assert.equal(allRun(tableOf('3.6.1 3.6.4'), '3.6.0'), true);
  assert.equal(allRun(tableOf('3.6.1 3.7.1'), '3.6.0'), false);
  assert.equal(allRun(tableOf('3.6.1 -'), '3.6.0'), false);
});

const forms: readonly [version: string | undefined, others: string, form: 'v2' | 'v3' | undefined][] = [
  [undefined, '', 'v3'],
  ['3.4.0', '', 'v3'],
  [undefined, '3.4.23', 'v2'],
  [undefined, '3.4.23 -', 'v2'],
  [undefined, '3.4.23 3.7.1', 'v2'],
  [undefined, '3.5.0 3.7.1', 'v3'],
  [undefined, '3.7.1 -', undefined],
  ['3.0.0', '3.7.1 -', undefined],
  ['3.4.0', '3.7.1 -', 'v2'],
  ['3.4.0', '3.7.1 3.7.1', 'v3'],
  ['3.5.0', '3.7.1 -', 'v3'],
];
for (const [version, others, form] of forms) {
  test(`with cluster version ${version} and others ${others || 'none'} entries have ${form ?? 'no'} form`, () => {
    const table = tableOf(others);
    const members = [...table.keys()].map((id) => listed(id, 'http://a:1'));
    assert.equal(chooseForm(version, members, table), form);
  });
}

test('members are only asked where the form depends on them', () => {
  const others = [listed(2n, 'http://a:1')];
  assert.equal(chooseForm('3.5.0', others, undefined), 'v3');
  assert.equal(chooseForm('3.4.0', others, undefined), undefined);
  assert.equal(chooseForm(undefined, [], undefined), 'v3');
});
