import { etcdserverpb, type Method, services } from '@quorate/api';
import { GrpcStatus } from '@quorate/transport';
import { type CallOutcome, ClientPort, type Login, memberOf, textOf } from '../clients/client-port.ts';
import type { Machine } from '../cluster/machine.ts';
import type { World } from '../cluster/world.ts';
import type { Operation } from '../history/history.ts';

const timeoutMs = 5_000;
const retryMs = 200;
/** Tries before an administrator thinks better of a replacement; what has begun is brought to its end. */
const triesMax = 40;
/** How long a member that has been removed runs on what it had, unless the fault says so; it need not hear of that in so short a time. */
const staleMsDefault = 2_000;
/** The id of a member depends on the second in which it is added. */
const idMs = 1_100;
/** How long nobody has the URL that was refused before. */
const freeMs = 2_000;

const { Cluster, Maintenance } = services;

/** Where an administrator writes down what it does to keys, as other clients do. */
export interface Ledger {
  /** Its number among the clients. */
  readonly client: number;
  readonly nextId: () => number;
  readonly record: (operation: Operation) => void;
}

/** A fault of that kind. */
interface Replacement {
  readonly machine: Machine;
  readonly asLearner: boolean;
  readonly isStale: boolean;
  readonly staleMs?: number;
  readonly isAddedInVain?: boolean;
}

/** Does what people do who run a cluster. */
export class Admin {
  private readonly world: World;
  private readonly port: ClientPort;
  private readonly ledger: Ledger;
  private turns = 0;
  /** Whether a member is on its way out or in. */
  isReplacing = false;

  constructor(world: World, login: Login | undefined, ledger: Ledger) {
    this.world = world;
    this.ledger = ledger;
    this.port = new ClientPort('admin', world.network, login);
  }

  async moveLeader(to: Machine): Promise<void> {
    const leader = this.world.leader();
    const targetId = to.member?.memberId;
    if (leader === undefined || targetId === undefined) return;
    const outcome = await this.port.call(leader, Maintenance.methods.MoveLeader, { targetId }, { timeoutMs });
    this.note(`move-leader from ${leader.name} to ${to.name}: ${textOf(outcome)}`);
  }

  async defragment(machine: Machine): Promise<void> {
    const outcome = await this.port.call(machine, Maintenance.methods.Defragment, {}, { timeoutMs });
    this.note(`defragment ${machine.name}: ${textOf(outcome)}`);
  }

  /** Compacts so many revisions before the newest that the machine's member knows. */
  async compact(machine: Machine, revisionsBack: number): Promise<void> {
    const revision = (machine.member?.revision() ?? 0) - revisionsBack;
    if (revision <= 0) return;
    const { ledger, port, world } = this;
    const { scheduler } = world;
    const message = etcdserverpb.CompactionRequest.create({ revision });
    const id = ledger.nextId();
    const invokedMs = scheduler.nowMs;
    const outcome = await port.call(machine, services.KV.methods.Compact, message, { timeoutMs });
    ledger.record({
      ...{ id, client: ledger.client, member: memberOf(machine, outcome), invokedMs },
      request: { method: 'compact', message },
      returnedMs: outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : scheduler.nowMs,
      outcome:
        outcome.kind === 'ok' ? { kind: 'ok', response: { method: 'compact', message: outcome.response } } : outcome,
    });
    this.note(`compact ${revision} at ${machine.name}: ${textOf(outcome)}`);
  }

  /** Asks all for the hash of a revision that one of them has. */
  async compareHashes(): Promise<void> {
    const { machines } = this.world;
    const hashOf = (machine: Machine, revision: number) =>
      this.port.call(machine, Maintenance.methods.HashKV, { revision }, { timeoutMs });
    const answers = await Promise.all(machines.map((machine) => hashOf(machine, 0)));
    const revisions = answers.flatMap((answer) =>
      answer.kind === 'ok' ? [answer.response.header?.revision ?? 0] : [],
    );
    if (revisions.length < 2) return;
    const revision = Math.min(...revisions);
    const seen = new Map<number, { readonly name: string; readonly hash: number }>();
    const hashes = await Promise.all(machines.map((machine) => hashOf(machine, revision)));
    for (const [place, answer] of hashes.entries()) {
      if (answer.kind !== 'ok') continue;
      const { hash, compactRevision } = answer.response;
      const name = (machines[place] as Machine).name;
      const other = seen.get(compactRevision);
      seen.set(compactRevision, other ?? { name, hash });
      if (other === undefined || other.hash === hash) continue;
      const text = `${name} has hash ${hash} of revision ${revision} (compacted ${compactRevision}), ${other.name} has ${other.hash}`;
      this.world.violations.push({ checker: 'state', text });
    }
    this.note(`hashes of ${revision} from ${seen.size} views`);
  }

  /** Takes a member out and puts a new one on its machine. One at a time: who asks meanwhile is not heard. */
  async replace({ machine, asLearner, isStale, staleMs, isAddedInVain }: Replacement): Promise<void> {
    const { rotten, machines } = this.world;
    const isOtherRotten = rotten.size > 0 && !rotten.has(machine);
    if (this.isReplacing || isOtherRotten || machines.length < 3) return;
    this.isReplacing = true;
    try {
      // As long as it answers for its hashes, members that compare theirs when they start do not start.
      if (this.world.doubts.has(machine)) this.world.retire(machine);
      this.world.leaving.add(machine);
      if (!(await this.remove(machine))) return;
      if (isStale && !this.world.rotten.has(machine)) await this.runStale(machine, staleMs);
      machine.wipe();
      this.world.renewed(machine);
      this.world.leaving.delete(machine);
      if (isAddedInVain === true) await this.addInVain(machine);
      await this.add(machine, asLearner);
    } finally {
      this.world.leaving.delete(machine);
      this.isReplacing = false;
    }
  }

  /** @returns false when the cluster would not have it. The machine is down afterwards, and recovered. */
  private async remove(machine: Machine): Promise<boolean> {
    const known = (await this.members()).find(({ peerUrls }) => peerUrls.includes(machine.url));
    if (known === undefined) return false;
    const others = this.world.machines.filter((other) => other !== machine);
    let mayBeGone = false;
    for (let tries = 0; ; tries++) {
      const outcome = await this.anywhere(Cluster.methods.MemberRemove, { id: known.id }, others);
      this.note(`remove ${machine.name}: ${textOf(outcome)}`);
      if (outcome.kind === 'ok') break;
      // A member that is behind may not know it yet.
      const isUnknown = outcome.kind === 'refused' && outcome.code === GrpcStatus.notFound;
      if (isUnknown && (await this.members()).every(({ id }) => id !== known.id)) break;
      // An answer that did not come leaves it open whether it is removed, whatever is said later.
      mayBeGone ||= outcome.kind === 'unknown';
      if (tries >= triesMax && !mayBeGone) return false;
      await this.pause();
    }
    this.world.retire(machine);
    machine.recover('process');
    return true;
  }

  /** It comes back with its old data, finds out that it is removed, or is shut down. */
  private async runStale(machine: Machine, staleMs = staleMsDefault): Promise<void> {
    const { world } = this;
    this.note(`${machine.name} comes back with old data`);
    machine.start();
    machine.excuse();
    const sinceMs = world.scheduler.nowMs;
    await world.scheduler.delay(staleMs);
    if (staleMs > staleMsDefault && this.couldHear(machine, sinceMs)) {
      const text = `${machine.name}, which was removed, still runs ${staleMs} ms after it came back`;
      world.violations.push({ checker: 'removal', text });
    }
    world.retire(machine);
    machine.recover('process');
  }

  /** Whether the machine and all others have run since then, and could reach each other. */
  private couldHear(machine: Machine, sinceMs: number): boolean {
    const { machines, network } = this.world;
    const isQuick = machine.disk.slowness === 1 && machine.disk.stalledUntilMs <= sinceMs;
    const isOpen = (other: Machine) => (network.openSince(machine.name, other.name) ?? Infinity) <= sinceMs;
    return isQuick && machines.every((each) => each.hasRunSince(sinceMs) && (each === machine || isOpen(each)));
  }

  /** It is added, and once more, which the cluster decides on and refuses; then what came of it is taken back. */
  private async addInVain(machine: Machine): Promise<void> {
    const others = this.world.machines.filter((other) => other !== machine);
    const request = { peerUrls: [machine.url], isLearner: false };
    for (let times = 0; times < 2; times++) {
      const outcome = await this.anywhere(Cluster.methods.MemberAdd, request, others);
      this.note(`add ${machine.name} in vain: ${textOf(outcome)}`);
      await this.world.scheduler.delay(idMs);
    }
    for (;;) {
      const known = (await this.members()).find(({ peerUrls }) => peerUrls.includes(machine.url));
      if (known === undefined) break;
      const outcome = await this.anywhere(Cluster.methods.MemberRemove, { id: known.id }, others);
      this.note(`take ${machine.name} back: ${textOf(outcome)}`);
      await this.pause();
    }
    await this.world.scheduler.delay(freeMs);
  }

  private async add(machine: Machine, isLearner: boolean): Promise<void> {
    const { world } = this;
    const others = world.machines.filter((other) => other !== machine);
    for (;;) {
      const request = { peerUrls: [machine.url], isLearner };
      const outcome = await this.anywhere(Cluster.methods.MemberAdd, request, others);
      this.note(`add ${machine.name}: ${textOf(outcome)}`);
      if ((await this.members()).some(({ peerUrls }) => peerUrls.includes(machine.url))) break;
      await this.pause();
    }
    const members = await this.members();
    const own = members.find(({ peerUrls }) => peerUrls.includes(machine.url));
    const cluster = members
      .map(({ name, peerUrls }) => `${name === '' ? machine.name : name}=${peerUrls[0]}`)
      .join(',');
    world.setFlags(machine, [`--initial-cluster=${cluster}`, '--initial-cluster-state=existing']);
    world.joining.add(machine);
    world.employ(machine);
    while (!machine.isServing) {
      await this.pause();
      // Asked a member that was behind who it is, and is now the one that was removed: it never serves.
      const { member } = machine;
      if (member === undefined || own === undefined || member.memberId === own.id) continue;
      world.retire(machine);
      machine.wipe();
      world.employ(machine);
    }
    world.joining.delete(machine);
    if (own?.isLearner === true) await this.promote(machine, own.id, others);
  }

  private async promote(machine: Machine, id: bigint, others: readonly Machine[]): Promise<void> {
    for (;;) {
      await this.pause();
      const outcome = await this.anywhere(Cluster.methods.MemberPromote, { id }, others);
      this.note(`promote ${machine.name}: ${textOf(outcome)}`);
      const found = (await this.members()).find((member) => member.id === id);
      if (found?.isLearner !== true) return;
    }
  }

  /** A linearizable view. */
  private async members(): Promise<etcdserverpb.Member[]> {
    for (;;) {
      for (const machine of this.world.machines) {
        const outcome = await this.port.call(
          machine,
          Cluster.methods.MemberList,
          { linearizable: true },
          { timeoutMs },
        );
        if (outcome.kind === 'ok') return outcome.response.members;
      }
      await this.pause();
    }
  }

  /** Of the first machine that takes it; each time another is asked first, since one may not know a token that another does. */
  private async anywhere<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    machines: readonly Machine[],
  ): Promise<CallOutcome<Response>> {
    let outcome: CallOutcome<Response> = { kind: 'refused', code: GrpcStatus.unavailable, text: 'nobody there' };
    this.turns++;
    for (let i = 0; i < machines.length; i++) {
      const machine = machines[(this.turns + i) % machines.length] as Machine;
      outcome = await this.port.call(machine, method, request, { timeoutMs });
      if (outcome.kind !== 'refused' || outcome.code !== GrpcStatus.unavailable) break;
    }
    return outcome;
  }

  private pause(): Promise<void> {
    return this.world.scheduler.delay(retryMs);
  }

  private note(text: string): void {
    this.world.trace.note('admin', text);
  }
}
