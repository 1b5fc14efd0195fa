import { etcdserverpb, mvccpb, services, v3electionpb } from '@quorate/api';
import { CodedError, equalBytes } from '@quorate/base';
import type { Cancellation, LocalStream } from '@quorate/transport';
import { created, enqueue, firstOf, leaseOf, rangeOf, waitForTurn } from './key-queue.ts';
import { callerIsGone, type LocalCalls } from './local-calls.ts';

type Header = etcdserverpb.ResponseHeader | undefined;
type Flow = Pick<LocalStream, 'pause' | 'resume'>;

const { Txn } = services.KV.methods;
const { PUT, DELETE } = mvccpb.EventType;

/** Stands for election and waits until it is won. Who campaigns already with another value changes it, and keeps its place. */
export async function campaign(
  calls: LocalCalls,
  { name, lease: given, value }: v3electionpb.CampaignRequest,
  cancellation: Cancellation,
): Promise<{ header: Header; leader: v3electionpb.LeaderKey }> {
  const lease = await leaseOf(calls, given);
  const { key, revision: rev, existing, header } = await enqueue(calls, name, lease, value, cancellation);
  const leader = v3electionpb.LeaderKey.create({ name, key, rev, lease });
  try {
    if (existing !== undefined && !equalBytes(existing.value, value)) await rewrite(calls, leader, lease, value);
    await waitForTurn(calls, rangeOf(name), rev, cancellation);
    return { header, leader };
  } catch (error) {
    await giveUp(calls, leader).catch(() => {});
    throw error;
  }
}

/** Gives the leader's key another value, while it leads. */
export async function proclaim(
  calls: LocalCalls,
  { leader, value }: v3electionpb.ProclaimRequest,
): Promise<{ header: Header }> {
  const given = required(leader);
  return { header: await rewrite(calls, given, await leaseOf(calls, given.lease), value) };
}

/** Deletes the leader's key; nothing happens where it is another's by now. */
export async function resign(calls: LocalCalls, { leader }: v3electionpb.ResignRequest): Promise<{ header: Header }> {
  return { header: await giveUp(calls, required(leader)) };
}

export async function presentLeader(
  calls: LocalCalls,
  { name }: v3electionpb.LeaderRequest,
): Promise<{ header: Header; kv: mvccpb.KeyValue }> {
  const { header, kvs } = await calls.read(firstOf(rangeOf(name)));
  const [kv] = kvs;
  if (kv === undefined) throw new CodedError('concurrency/no-leader', 'election: no leader');
  return { header, kv };
}

function required(leader: v3electionpb.LeaderKey | undefined): v3electionpb.LeaderKey {
  if (leader === undefined) throw new CodedError('concurrency/no-key', '"leader" field must be provided');
  return leader;
}

async function rewrite(
  calls: LocalCalls,
  { key, rev }: v3electionpb.LeaderKey,
  lease: bigint,
  value: Uint8Array,
): Promise<Header> {
  const requestPut = etcdserverpb.PutRequest.create({ key, value, lease });
  const success = [etcdserverpb.RequestOp.create({ requestPut })];
  const { succeeded, header } = await calls.call(Txn, { compare: [created(key, rev)], success });
  if (!succeeded) throw new CodedError('concurrency/not-leader', 'election: not leader');
  return header;
}

async function giveUp(calls: LocalCalls, { key, rev }: v3electionpb.LeaderKey): Promise<Header> {
  const requestDeleteRange = etcdserverpb.DeleteRangeRequest.create({ key });
  const success = [etcdserverpb.RequestOp.create({ requestDeleteRange })];
  const { header } = await calls.call(Txn, { compare: [created(key, rev)], success });
  return header;
}

/** Where the leaders of an election go; says false when it has enough for now, and calls `flow.resume` later. */
export type LeaderSink = (header: Header, kv: mvccpb.KeyValue, flow: Flow) => boolean;

/**
 * Tells the present leader, each new value of it, and each leader after it. Never resolves but when a watch within ends by itself.
 * @throws concurrency/cancelled (as a rejection) when it is called off
 */
export async function observe(
  calls: LocalCalls,
  { name }: v3electionpb.LeaderRequest,
  cancellation: Cancellation,
  sink: LeaderSink,
): Promise<void> {
  const range = rangeOf(name);
  const unpaused: Flow = { pause() {}, resume() {} };
  for (;;) {
    const answer = await calls.read(firstOf(range), cancellation);
    const now = answer.header?.revision ?? 0;
    const [present] = answer.kvs;
    const first =
      present === undefined ? await firstCandidate(calls, range, now, cancellation) : { kv: present, at: now };
    if (first === undefined) return;
    const header = answer.header && { ...answer.header, revision: first.at };
    sink(header, first.kv, unpaused);
    const isDeleted = await follow(calls, first.kv.key, first.at + 1, cancellation, sink);
    if (!isDeleted) return;
  }
}

/** Waits for somebody to stand; undefined when the watch ends. */
async function firstCandidate(
  calls: LocalCalls,
  range: ReturnType<typeof rangeOf>,
  startRevision: number,
  cancellation: Cancellation,
): Promise<{ readonly kv: mvccpb.KeyValue; readonly at: number } | undefined> {
  let found: mvccpb.KeyValue | undefined;
  await endsQuietly(
    calls.watch({ ...range, startRevision }, cancellation, ({ events, canceled }) => {
      found = events.find((event) => event.type === PUT)?.kv;
      return found === undefined && !canceled;
    }),
    cancellation,
  );
  return found && { kv: found, at: found.modRevision };
}

/** Tells each value of a leader; true when its key is deleted, false when the watch ends before. */
async function follow(
  calls: LocalCalls,
  key: Uint8Array,
  startRevision: number,
  cancellation: Cancellation,
  sink: LeaderSink,
): Promise<boolean> {
  let isDeleted = false;
  const watched = calls.watch({ key, startRevision }, cancellation, ({ header, events, canceled }, watch) => {
    for (const { type, kv } of events) {
      isDeleted = type === DELETE;
      if (isDeleted || kv === undefined) break;
      if (!sink(header, kv, watch)) watch.pause();
    }
    return !isDeleted && !canceled;
  });
  await endsQuietly(watched, cancellation);
  return isDeleted;
}

/** A watch that fails is one that ended, unless it was called off. */
async function endsQuietly(watched: Promise<void>, cancellation: Cancellation): Promise<void> {
  try {
    await watched;
  } catch {
    if (cancellation.cancelled) throw callerIsGone();
  }
}
