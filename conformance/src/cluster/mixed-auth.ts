import { SeededRandom } from '@quorate/base';
import type { Message } from '../grpc/services.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { verdict } from './checks.ts';
import { ask, CALL_TIMEOUT_MS, must } from './mixed-auth-calls.ts';
import { writeRandomly } from './mixed-auth-random.ts';
import type { MixedPart } from './mixed-suite.ts';

/** Users, roles and permissions written through one kind hold at the other, and over a change of leaders. */

async function enableAuth(at: ClusterMember): Promise<void> {
  for (const [name, role] of [
    ['root', 'root'],
    ['alice', 'reader'],
  ] as const) {
    await must(at, 'Auth.RoleAdd', { name: role });
    await must(at, 'Auth.UserAdd', { name, password: `${name}-password` });
    await must(at, 'Auth.UserGrantRole', { user: name, role });
  }
  const perm = { permType: 0, key: Buffer.from('a'), range_end: Buffer.from('b') };
  await must(at, 'Auth.RoleGrantPermission', { name: 'reader', perm });
  await must(at, 'KV.Put', { key: Buffer.from('allowed'), value: Buffer.from('1') });
  await must(at, 'Auth.AuthEnable', {});
}

/** What alice may and may not do at a member, and what nobody may. */
async function checkAlice(member: ClusterMember): Promise<string[]> {
  const { token } = await must(member, 'Auth.Authenticate', { name: 'alice', password: 'alice-password' });
  const attempts: [string, Message, string | undefined, string][] = [
    ['KV.Range', { key: Buffer.from('allowed') }, String(token), 'ok'],
    ['KV.Range', { key: Buffer.from('other') }, String(token), 'etcdserver: permission denied'],
    ['KV.Put', { key: Buffer.from('allowed') }, String(token), 'etcdserver: permission denied'],
    ['Auth.UserList', {}, String(token), 'etcdserver: permission denied'],
    ['KV.Range', { key: Buffer.from('allowed') }, undefined, 'etcdserver: user name is empty'],
  ];
  const problems: string[] = [];
  for (const [method, request, given, expected] of attempts) {
    const answer = await ask(member, method, request, given);
    const text = answer.ok ? 'ok' : answer.details;
    if (text !== expected) problems.push(`${method} at ${member.name}: ${text}, not ${expected}`);
  }
  return problems;
}

/** A token is known wherever its entry is applied, which each member does in its own time. */
async function checkToken(from: ClusterMember, members: readonly ClusterMember[]): Promise<string[]> {
  const { token } = await must(from, 'Auth.Authenticate', { name: 'alice', password: 'alice-password' });
  const problems: string[] = [];
  for (const member of members) {
    const endMs = Date.now() + CALL_TIMEOUT_MS;
    const request = { key: Buffer.from('allowed') };
    let answer = await ask(member, 'KV.Range', request, String(token));
    while (!answer.ok && Date.now() < endMs) answer = await ask(member, 'KV.Range', request, String(token));
    if (!answer.ok) problems.push(`at ${member.name} (${member.kind}): ${answer.details}`);
  }
  return problems;
}

async function listAll(member: ClusterMember): Promise<string> {
  const { token } = await must(member, 'Auth.Authenticate', { name: 'root', password: 'root-password' });
  const answers = [
    await must(member, 'Auth.UserList', {}, String(token)),
    await must(member, 'Auth.RoleList', {}, String(token)),
    await must(member, 'Auth.UserGet', { name: 'alice' }, String(token)),
    await must(member, 'Auth.RoleGet', { role: 'reader' }, String(token)),
  ];
  return JSON.stringify(answers.map(({ header: _header, ...rest }) => rest));
}

export const authParts: readonly MixedPart[] = [
  {
    name: 'auth',
    quick: true,
    run: async (run) =>
      run.with([run.goKind, run.ours, run.goKind], async (live) => {
        const [theirs, own] = live.cluster.members as [ClusterMember, ClusterMember];
        await live.stopWriting();
        await enableAuth(theirs);
        for (const leader of [own, theirs]) {
          const { token } = await must(theirs, 'Auth.Authenticate', { name: 'root', password: 'root-password' });
          const current = await live.cluster.leader();
          if (current !== leader && current !== undefined) {
            await must(current, 'Maintenance.MoveLeader', { targetID: leader.id }, String(token));
          }
          for (const member of live.cluster.members) {
            const name = `${live.name}: ${leader.kind} leads, alice at ${member.name} (${member.kind})`;
            verdict(live.report, name, await checkAlice(member));
          }
        }
        for (const member of [own, theirs]) {
          const name = `${live.name}: a token of ${member.name} (${member.kind}) at all members`;
          verdict(live.report, name, await checkToken(member, live.cluster.members));
        }
        // 3.4 judges less of a transaction, so that it and later members go apart, ours or etcd's.
        if (run.goKind !== 'etcd34') {
          const problems = await writeRandomly(new SeededRandom(run.seed), live.cluster.members);
          verdict(live.report, `${live.name}: random writes under changing permissions`, problems);
        }
        const lists = await Promise.all(live.cluster.members.map(listAll));
        verdict(live.report, `${live.name}: users and roles are the same`, new Set(lists).size === 1 ? [] : lists);
        const { token } = await must(own, 'Auth.Authenticate', { name: 'root', password: 'root-password' });
        await must(own, 'Auth.AuthDisable', {}, String(token));
        verdict(live.report, `${live.name}: hashes of all members`, await live.cluster.compareHashes());
      }),
  },
];
