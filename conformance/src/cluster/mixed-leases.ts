import type { Message } from '../grpc/services.ts';
import { ELECTION_TIMEOUT_MS } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { errorText, sleep, waitUntil } from '../support/text.ts';
import { verdict } from './checks.ts';
import type { LiveCluster } from './live-cluster.ts';
import type { MixedPart } from './mixed-suite.ts';

/** Leases under leaders of either kind: time to live, renewals through every member, expiry after a change of leaders. */

const LONG_TTL = 100;
const SHORT_TTL = 4;
const RENEWALS = 8;
const RENEWAL_EVERY_MS = 1000;
/** Members look for expired leases every half second; the rest is for a busy machine. */
const EXPIRY_SLACK_MS = 3000;
const ANSWER_MS_MAX = 8000;

/** Asks again while the leader changes. */
async function ask(member: ClusterMember, method: string, request: Message): Promise<Message> {
  let message: Message | undefined;
  let last = '';
  await waitUntil(`${method} at ${member.name}`, ANSWER_MS_MAX, async () => {
    const answer = await member.call(method, request, ANSWER_MS_MAX);
    if (answer.ok) message = answer.message;
    else last = answer.details;
    return answer.ok;
  }).catch((error: unknown) => {
    throw new Error(`${errorText(error)}: ${last}`);
  });
  return message as Message;
}

async function grant(member: ClusterMember, id: string, ttl: number): Promise<void> {
  await ask(member, 'Lease.LeaseGrant', { ID: id, TTL: ttl });
  await ask(member, 'KV.Put', { key: leaseKey(id), value: Buffer.from('leased'), lease: id });
}

function leaseKey(id: string): Buffer {
  return Buffer.from(`lease/${id}`);
}

/** The time to live it answers; -1 for a lease it does not know. */
async function keepAlive(member: ClusterMember, id: string): Promise<number> {
  const call = member.connection.duplex('Lease.LeaseKeepAlive');
  call.send({ ID: id });
  await call.until(() => call.received.length > 0, ANSWER_MS_MAX);
  call.cancel();
  const [answer] = call.received;
  if (answer === undefined) throw new Error(`keep-alive at ${member.name}: ${call.end?.details ?? 'no answer'}`);
  return Number(answer.TTL) === 0 ? -1 : Number(answer.TTL);
}

/** Every member tells the same of a lease and renews it, whoever leads. */
async function checkEverywhere(live: LiveCluster, id: string): Promise<string[]> {
  const problems: string[] = [];
  for (const member of live.cluster.members) {
    const renewed = await keepAlive(member, id);
    if (renewed !== LONG_TTL) problems.push(`${member.name} renews for ${renewed} s`);
    const told = await ask(member, 'Lease.LeaseTimeToLive', { ID: id, keys: true });
    const ttl = Number(told.TTL);
    // A new leader adds an election time-out to what was left.
    if (told.grantedTTL !== String(LONG_TTL) || ttl < LONG_TTL - 5 || ttl > LONG_TTL + 2) {
      problems.push(`${member.name} tells of ${told.grantedTTL} s granted, ${ttl} s left`);
    }
    const keys = (told.keys as Buffer[]).map(String);
    if (keys.join() !== String(leaseKey(id))) problems.push(`${member.name} tells of the keys ${keys}`);
    const listed = (await ask(member, 'Lease.LeaseLeases', {})).leases as Message[];
    if (!listed.some((lease) => String(lease.ID) === id)) problems.push(`${member.name} does not list it`);
  }
  return problems;
}

async function isThere(member: ClusterMember, id: string): Promise<boolean> {
  return ((await ask(member, 'KV.Range', { key: leaseKey(id) })).kvs as Message[]).length > 0;
}

/** A lease expires no earlier than its time to live after the last leader took over, and not much later. */
async function checkExpiry(at: ClusterMember, id: string, sinceMs: number, startedMs: number): Promise<string[]> {
  const latestMs = SHORT_TTL * 1000 + ELECTION_TIMEOUT_MS + EXPIRY_SLACK_MS;
  await waitUntil(`the expiry of lease ${id}`, latestMs, async () => !(await isThere(at, id)));
  const tookMs = Date.now() - sinceMs;
  if (Date.now() - startedMs < SHORT_TTL * 1000) return [`it expired after ${Date.now() - startedMs} ms`];
  return tookMs > latestMs ? [`it expired ${tookMs} ms after the leader took over`] : [];
}

async function expireAfterMove(live: LiveCluster, from: ClusterMember, to: ClusterMember, id: string): Promise<void> {
  await live.cluster.moveLeader(from);
  await grant(from, id, SHORT_TTL);
  const startedMs = Date.now();
  if (to !== from) await live.cluster.moveLeader(to);
  const problems = await checkExpiry(from, id, Date.now(), startedMs);
  const move = to === from ? `under ${to.kind}` : `granted under ${from.kind}, expired under ${to.kind}`;
  verdict(live.report, `${live.name}: ${move}`, problems);
}

/** Renewals through a follower keep a lease; without them it goes. */
async function renewThroughFollower(
  live: LiveCluster,
  leader: ClusterMember,
  via: ClusterMember,
  id: string,
): Promise<void> {
  await live.cluster.moveLeader(leader);
  await grant(via, id, SHORT_TTL);
  const problems: string[] = [];
  let renewedMs = Date.now();
  for (let count = 0; count < RENEWALS; count++) {
    await sleep(RENEWAL_EVERY_MS);
    renewedMs = Date.now();
    const ttl = await keepAlive(via, id);
    if (ttl !== SHORT_TTL) problems.push(`renewal ${count + 1} answers ${ttl}`);
  }
  if (!(await isThere(via, id))) problems.push('its key is gone although it was renewed');
  problems.push(...(await checkExpiry(via, id, renewedMs, renewedMs)));
  verdict(live.report, `${live.name}: renewed through ${via.kind} with ${leader.kind} leading`, problems);
}

export const leaseParts: readonly MixedPart[] = [
  {
    name: 'leases',
    quick: false,
    run: async (run) =>
      run.with([run.goKind, run.ours, run.goKind], async (live) => {
        const [theirs, own] = live.cluster.members as [ClusterMember, ClusterMember];
        // These keys go by themselves, which the clients' history does not know.
        await live.stopWriting();
        await grant(theirs, '1000', LONG_TTL);
        for (const leader of live.cluster.members) {
          await live.cluster.moveLeader(leader);
          const problems = await checkEverywhere(live, '1000');
          verdict(live.report, `${live.name}: every member with ${leader.kind} ${leader.name} leading`, problems);
        }
        await expireAfterMove(live, theirs, own, '1001');
        await expireAfterMove(live, own, theirs, '1002');
        await expireAfterMove(live, own, own, '1003');
        await expireAfterMove(live, theirs, theirs, '1004');
        await renewThroughFollower(live, theirs, own, '1005');
        await renewThroughFollower(live, own, theirs, '1006');
        verdict(live.report, `${live.name}: hashes of all members`, await live.cluster.compareHashes());
      }),
  },
];
