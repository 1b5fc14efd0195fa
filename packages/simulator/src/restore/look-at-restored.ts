import { etcdserverpb, type Method, services } from '@quorate/api';
import { latin1FromBytes, utf8ToBytes } from '@quorate/base';
import type { Bootstrap } from '@quorate/machine';
import type { ClientPort } from '../clients/client-port.ts';
import { ClientStream } from '../clients/client-stream.ts';
import type { Machine } from '../cluster/machine.ts';
import type { World } from '../cluster/world.ts';
import { areEqual } from './check-snapshot.ts';
import { type DatabaseContent, liveKeys } from './database-content.ts';

/** What a look at a restored cluster needs. */
export interface Look {
  readonly world: World;
  readonly port: ClientPort;
  readonly content: DatabaseContent;
  readonly bumpRevision: number;
  /** When the new cluster's machines were started. */
  readonly startedMs: number;
  /** Who is in the new cluster. */
  readonly bootstrap: Bootstrap;
  readonly ask: <Request, Response>(
    machine: Machine,
    method: Method<Request, Response>,
    request: Request,
  ) => Promise<Response>;
  readonly violate: (text: string) => void;
}

const { Auth, Cluster, KV, Lease, Maintenance, Watch } = services;
const { PutRequest, RangeRequest, WatchCreateRequest, WatchRequest } = etcdserverpb;
const all = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
const watchLimitMs = 10_000;
/** How much slower or faster than the world's a machine's clock may go, with something to spare. */
const driftMax = 0.03;

/** The last revision of the snapshot, as the new cluster counts. */
function baseOf({ content, bumpRevision }: Look): number {
  // A bump counts from the last record, behind which a compaction may have been.
  const last = content.records.at(-1)?.main ?? 1;
  return bumpRevision === 0 ? content.revision : last + bumpRevision;
}

/** All that the snapshot had is there and nothing else, on each member; and the cluster goes on from it. */
export async function lookAtRestored(look: Look, isFirstLife: boolean): Promise<void> {
  await lookAtMembers(look);
  if (isFirstLife) await lookAtLeases(look);
  await lookAtKeys(look);
  if (look.content.areUsersAsked) await lookAtUsers(look);
  if (isFirstLife && look.bumpRevision > 0) await lookAtOldWatch(look);
  // With an alarm of the old cluster nothing can be written, as it could not be there.
  if (look.content.alarms === 0) await writeOn(look, isFirstLife ? 'first' : 'second');
}

async function lookAtMembers({ world, bootstrap, ask, violate }: Look): Promise<void> {
  const idsOf = (members: readonly { readonly id: bigint }[]) =>
    members
      .map(({ id }) => id.toString(16))
      .sort()
      .join(' ');
  for (const machine of world.machines) {
    const { header, members } = await ask(machine, Cluster.methods.MemberList, { linearizable: true });
    const [found, wanted] = [idsOf(members), idsOf(bootstrap.members)];
    if (found !== wanted) violate(`${machine.name} lists members ${found} instead of ${wanted}`);
    if (header?.clusterId !== bootstrap.clusterId) violate(`${machine.name} is of cluster ${header?.clusterId}`);
  }
}

/** They begin anew, so that each is there for as long as it was granted at least, unless it is one that was not in the snapshot. */
async function lookAtLeases({ world, content, startedMs, ask, violate }: Look): Promise<void> {
  for (const machine of world.machines) {
    const { leases } = await ask(machine, Lease.methods.LeaseLeases, {});
    const there = new Set(leases.map(({ id }) => id));
    for (const id of there) {
      if (!content.leases.has(id)) violate(`${machine.name} has lease ${id.toString(16)} that was not saved`);
    }
    for (const [id, ttl] of content.leases) {
      const isDue = world.scheduler.nowMs - startedMs > ttl * 1000 * (1 - driftMax);
      if (!there.has(id) && !isDue) violate(`${machine.name} lacks lease ${id.toString(16)} of ${ttl} s`);
    }
  }
}

/** At the revision of the snapshot: what leases take with them as they end is behind it. */
async function lookAtKeys(look: Look): Promise<void> {
  const { world, content, ask, violate } = look;
  const revision = baseOf(look);
  const live = liveKeys(content);
  const hashes = new Map<number, number>();
  for (const machine of world.machines) {
    const request = RangeRequest.create({ ...all, revision, serializable: true });
    const { header, kvs } = await ask(machine, KV.methods.Range, request);
    if ((header?.revision ?? 0) < revision) violate(`${machine.name} is at ${header?.revision}, before ${revision}`);
    if (kvs.length !== live.size) violate(`${machine.name} has ${kvs.length} keys of ${live.size}`);
    for (const keyValue of kvs) {
      const name = latin1FromBytes(keyValue.key);
      const saved = live.get(name);
      if (saved === undefined || !areEqual(saved, keyValue)) violate(`${machine.name} has another ${name}`);
    }
    const { hash, compactRevision } = await ask(machine, Maintenance.methods.HashKV, { revision });
    const other = hashes.get(compactRevision);
    hashes.set(compactRevision, other ?? hash);
    if (other !== undefined && other !== hash)
      violate(`${machine.name} has hash ${hash} of ${revision}, another ${other}`);
  }
}

async function lookAtUsers({ world, content, ask, violate }: Look): Promise<void> {
  for (const machine of world.machines) {
    const { users } = await ask(machine, Auth.methods.UserList, {});
    const [found, saved] = [[...users].sort().join(' '), [...content.users].sort().join(' ')];
    if (found !== saved) violate(`${machine.name} knows users ${found} instead of ${saved}`);
  }
}

/** Who watched the old cluster must hear that its past is gone. */
async function lookAtOldWatch(look: Look): Promise<void> {
  const { world, port, content, violate } = look;
  const { network, scheduler, machines } = world;
  const machine = machines[0] as Machine;
  const token = await port.tokenAt(machine);
  const answer = await new Promise<string>((resolve) => {
    const timer = scheduler.after(watchLimitMs, () => resolve('nothing'));
    const done = (text: string) => {
      timer.cancel();
      resolve(text);
    };
    const handlers = {
      message: (message: etcdserverpb.WatchResponse) => {
        if (message.canceled) done(`compacted at ${message.compactRevision}`);
        else if (message.events.length > 0) done(`${message.events.length} events`);
      },
      end: (code: number, text: string) => done(`${code} ${text}`),
    };
    const stream = new ClientStream(network, port.name, machine, Watch.methods.Watch, handlers, token);
    const create = WatchCreateRequest.create({ ...all, startRevision: content.revision });
    stream.send(WatchRequest.create({ createRequest: create }));
  });
  const wanted = `compacted at ${baseOf(look)}`;
  if (answer !== wanted) violate(`a watch from revision ${content.revision} was told ${answer} instead of ${wanted}`);
}

/** A new key, and an old one once more: revisions, versions and what was there before go on from the snapshot. */
async function writeOn(look: Look, life: string): Promise<void> {
  const { world, content, ask, violate } = look;
  let last = baseOf(look);
  const write = async (machine: Machine, key: Uint8Array, before: { created: number; version: number } | undefined) => {
    const put = PutRequest.create({ key, value: utf8ToBytes(life) });
    const written = (await ask(machine, KV.methods.Put, put)).header?.revision ?? 0;
    const name = latin1FromBytes(key);
    if (written <= last) violate(`${name} was written at ${written}, after ${last}`);
    last = written;
    for (const other of world.machines) {
      const [found] = (await ask(other, KV.methods.Range, RangeRequest.create({ key }))).kvs;
      const created = before?.created ?? written;
      const version = (before?.version ?? 0) + 1;
      // A write whose answer was lost was made twice.
      const isRight = found?.modRevision === written && found.version >= version;
      if (!isRight || (found.version === version && found.createRevision !== created))
        violate(
          `${other.name} has ${name} of ${found?.createRevision}, ${found?.modRevision}, version ${found?.version}`,
        );
    }
  };
  for (const machine of world.machines)
    await write(machine, utf8ToBytes(`restored ${life} ${machine.name}`), undefined);
  if (life !== 'first') return;
  const old = [...liveKeys(content).values()].find(({ lease }) => lease === 0n);
  if (old === undefined) return;
  await write(world.machines[0] as Machine, old.key, { created: old.createRevision, version: old.version });
}
