import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Answer } from '../grpc/connection.ts';
import type { Message } from '../grpc/services.ts';
import { ClusterMember } from './cluster-member.ts';
import type { PeerNetwork } from './peer-network.ts';
import { lastingPorts } from './ports.ts';
import type { ServerKind } from './programs.ts';
import { errorText, sleep, waitUntil } from './text.ts';

export interface ClusterOptions {
  readonly kinds: readonly ServerKind[];
  /** Data directories are made below it. */
  readonly directory: string;
  /** With it every member's peer URL is a proxy's. */
  readonly network?: PeerNetwork | undefined;
  readonly extraArgs?: (kind: ServerKind) => readonly string[];
}

export interface ListedMember {
  readonly id: string;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
}

export const ELECTION_TIMEOUT_MS = 1000;
const READY_TIMEOUT_MS = 60_000;
/** A member that came back counts as connected after five seconds; until then changes of the members are refused. */
const CHANGE_TIMEOUT_MS = 45_000;
const CHANGE_CALL_TIMEOUT_MS = 5000;
const CHANGE_RETRY_MS = 200;

/** Flags for raft snapshots soon and few entries behind them, as far as a kind has flags for that. */
export function snapshotArgs(kind: ServerKind, count: number, catchUpEntries: number): string[] {
  const args = [`--snapshot-count=${count}`];
  return kind === 'etcd34' ? args : [...args, `--snapshot-catchup-entries=${catchUpEntries}`];
}

/** The id of a member of a new cluster, as a number of 16 hex digits. */
function firstId(peerUrl: string, token: string): string {
  return createHash('sha1').update(peerUrl).update(token).digest('hex').slice(0, 16);
}

/** A token with which the ids of the members ascend, and none begins with a zero: lists of members are sorted by id. */
function tokenForAscendingIds(peerUrls: readonly string[]): string {
  for (let tried = 0; ; tried++) {
    const token = `token-${tried}`;
    const ids = peerUrls.map((peerUrl) => firstId(peerUrl, token));
    if (ids.every((id, index) => !id.startsWith('0') && id > (ids[index - 1] ?? ''))) return token;
  }
}

/** Several members, of the same or of different kinds, each its own process with its own data directory. */
export class Cluster {
  /** Those that belong to it, started or not, in the order they came. */
  readonly members: ClusterMember[] = [];
  private readonly options: ClusterOptions;
  private token = '';
  private readonly places: ClusterMember[] = [];

  private constructor(options: ClusterOptions) {
    this.options = options;
  }

  /** Starts a new cluster with a member of each kind named and waits until all are healthy. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    try {
      for (const kind of options.kinds) cluster.members.push(await cluster.makePlace(kind));
      cluster.token = tokenForAscendingIds(cluster.members.map(({ peerUrl }) => peerUrl));
      cluster.launchNew();
      await cluster.waitHealthy();
      await cluster.learnIds();
    } catch (error) {
      const detail = `${errorText(error)}\n${cluster.logTails()}`;
      await cluster.close();
      throw new Error(detail);
    }
    return cluster;
  }

  /** A place for a member: ports, directory, proxy. Nothing runs there yet and the cluster knows nothing of it. */
  async makePlace(kind: ServerKind): Promise<ClusterMember> {
    const name = `node${this.places.length + 1}`;
    const [clientPort, peerPort] = await lastingPorts(2);
    if (clientPort === undefined || peerPort === undefined) throw new Error('no free ports');
    const advertised = (await this.options.network?.add(name, peerPort)) ?? peerPort;
    const peerUrl = `http://127.0.0.1:${advertised}`;
    const dataDir = join(this.options.directory, `${name}-${kind}`);
    const member = new ClusterMember({ name, kind, dataDir, clientPort, peerPort, peerUrl });
    this.places.push(member);
    return member;
  }

  private launchNew(): void {
    const initialCluster = this.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
    for (const member of this.members) {
      member.launch({ initialCluster, initialClusterState: 'new', token: this.token }, this.argsOf(member));
    }
  }

  private argsOf(member: ClusterMember): readonly string[] {
    return this.options.extraArgs?.(member.kind) ?? [];
  }

  get running(): ClusterMember[] {
    return this.members.filter((member) => member.isRunning);
  }

  others(member: ClusterMember): ClusterMember[] {
    return this.members.filter((other) => other !== member);
  }

  async memberList(via?: ClusterMember): Promise<ListedMember[]> {
    for (const member of via === undefined ? this.running : [via]) {
      const answer = await member.call('Cluster.MemberList', { linearizable: true }, CHANGE_CALL_TIMEOUT_MS);
      if (!answer.ok) continue;
      return (answer.message.members as Message[]).map((listed) => ({
        id: String(listed.ID),
        name: String(listed.name),
        peerUrls: listed.peerURLs as string[],
        isLearner: listed.isLearner === true,
      }));
    }
    throw new Error('no member answers with the list of members');
  }

  private async learnIds(): Promise<void> {
    for (const listed of await this.memberList()) {
      const member = this.placeOf(listed);
      if (member !== undefined) this.learnId(member, listed.id);
    }
  }

  private learnId(member: ClusterMember, id: string): void {
    member.id = id;
    this.options.network?.identify(BigInt(id).toString(16), member.name);
  }

  /** Asks member after member until one does it. A refusal that passes with time is asked again. */
  private async change(method: string, request: Message, done: () => Promise<boolean>): Promise<Answer | undefined> {
    const deadline = Date.now() + CHANGE_TIMEOUT_MS;
    let last = 'no member runs';
    while (Date.now() < deadline) {
      for (const member of this.running) {
        const answer = await member.call(method, request, CHANGE_CALL_TIMEOUT_MS);
        if (answer.ok) return answer;
        last = `${answer.code} ${answer.details}`;
        // It may have been done although nobody said so.
        if (answer.code !== 'INVALID_ARGUMENT' && (await done().catch(() => false))) return undefined;
      }
      await sleep(CHANGE_RETRY_MS);
    }
    throw new Error(`${method} ${JSON.stringify(request)}: ${last}`);
  }

  /** Tells the cluster of a member in this place. */
  async announce(member: ClusterMember, isLearner = false): Promise<void> {
    const listedBy = async (via?: ClusterMember): Promise<ListedMember | undefined> =>
      (await this.memberList(via)).find(({ peerUrls }) => peerUrls.includes(member.peerUrl));
    const request = { peerURLs: [member.peerUrl], isLearner };
    await this.change('Cluster.MemberAdd', request, async () => (await listedBy()) !== undefined);
    // All have to know of it: it will ask any of them, and a list without it is refused.
    for (const via of this.running) {
      await waitUntil(`${via.name} to list ${member.name}`, READY_TIMEOUT_MS, async () => {
        const listed = await listedBy(via).catch(() => undefined);
        if (listed !== undefined) this.learnId(member, listed.id);
        return listed !== undefined || !via.isRunning;
      });
    }
    if (!this.members.includes(member)) this.members.push(member);
  }

  /** Starts a member the cluster was told of, by whomever. */
  async join(member: ClusterMember): Promise<void> {
    const listed = await this.memberList();
    const entries = listed.map((entry) => `${this.placeOf(entry)?.name ?? entry.name}=${entry.peerUrls[0]}`);
    const membership = {
      initialCluster: entries.join(','),
      initialClusterState: 'existing' as const,
      token: this.token,
    };
    if (!this.members.includes(member)) this.members.push(member);
    await this.learnIds();
    member.launch(membership, this.argsOf(member));
  }

  private placeOf({ peerUrls }: ListedMember): ClusterMember | undefined {
    return this.places.find(({ peerUrl }) => peerUrls.includes(peerUrl));
  }

  /** A new member in a new place, started and healthy. `made` is told of it before anything runs there. */
  async grow(
    kind: ServerKind,
    options: { readonly learner?: boolean } = {},
    made: (member: ClusterMember) => void = () => undefined,
  ): Promise<ClusterMember> {
    const member = await this.makePlace(kind);
    made(member);
    await this.announce(member, options.learner === true);
    await this.join(member);
    await this.waitHealthy([member]);
    return member;
  }

  async promote(member: ClusterMember): Promise<void> {
    const isVoter = async (): Promise<boolean> =>
      (await this.memberList()).some(({ id, isLearner }) => id === member.id && !isLearner);
    await this.change('Cluster.MemberPromote', { ID: member.id }, isVoter);
    await this.waitHealthy([member]);
  }

  /** Takes a member out of the cluster and ends its process. */
  async remove(member: ClusterMember): Promise<void> {
    const isGone = async (): Promise<boolean> => (await this.memberList()).every(({ id }) => id !== member.id);
    // Asked of the others: it cannot tell about a cluster it is no longer in.
    this.members.splice(this.members.indexOf(member), 1);
    await this.change('Cluster.MemberRemove', { ID: member.id }, isGone);
    await member.stop();
  }

  /** Lets a member begin anew, without its data and under a new id, in its old place. */
  async replace(member: ClusterMember): Promise<void> {
    await this.remove(member);
    member.wipe();
    await this.announce(member);
    await this.join(member);
    await this.waitHealthy([member]);
  }

  /** Another server goes on in a member's place: the same directory, ports and ids. */
  async swap(member: ClusterMember, kind: ServerKind): Promise<void> {
    await member.stop();
    member.kind = kind;
    member.setExtraArgs(this.argsOf(member));
    member.start();
    await this.waitHealthy([member]);
  }

  /** The member that leads by its own word and that of most others; undefined while there is none. */
  async leader(among: readonly ClusterMember[] = this.running): Promise<ClusterMember | undefined> {
    const statuses = await Promise.all(among.map((member) => member.status()));
    const term = Math.max(0, ...statuses.map((status) => status?.term ?? 0));
    const found = statuses.findIndex((status) => status?.term === term && status.leaderId === status.memberId);
    return among[found];
  }

  async waitLeader(among?: readonly ClusterMember[]): Promise<ClusterMember> {
    let found: ClusterMember | undefined;
    await waitUntil('a leader', READY_TIMEOUT_MS, async () => {
      found = await this.leader(among);
      return found !== undefined;
    });
    return found as ClusterMember;
  }

  /** Makes a member the leader. */
  async moveLeader(to: ClusterMember): Promise<void> {
    let last = '';
    await waitUntil(`${to.name} to lead`, READY_TIMEOUT_MS, async () => {
      const leader = await this.leader();
      if (leader === to) return true;
      const answer = await leader?.call('Maintenance.MoveLeader', { targetID: to.id }, CHANGE_CALL_TIMEOUT_MS);
      if (answer?.ok === false) last = answer.details;
      return false;
    }).catch((error: unknown) => {
      throw new Error(`${errorText(error)}: ${last}`);
    });
  }

  async waitHealthy(among: readonly ClusterMember[] = this.running): Promise<void> {
    for (const member of among) {
      await waitUntil(`${member.name} (${member.kind}) to be healthy`, READY_TIMEOUT_MS, async () => {
        if (!member.isRunning) throw new Error(`${member.name} ended (${member.server?.child.exit})`);
        return member.isHealthy();
      });
    }
  }

  /** Waits until all have applied the same, and compares the hashes of their key histories. */
  async compareHashes(among: readonly ClusterMember[] = this.running): Promise<string[]> {
    let revision = 0;
    await waitUntil('all members to be at one revision', READY_TIMEOUT_MS, async () => {
      const statuses = await Promise.all(among.map((member) => member.status()));
      revision = statuses[0]?.revision ?? 0;
      return revision > 0 && statuses.every((status) => status?.revision === revision);
    });
    const shown = await Promise.all(
      among.map(async (member) => {
        const answer = await member.call('Maintenance.HashKV', { revision }, CHANGE_CALL_TIMEOUT_MS);
        if (!answer.ok) return `${answer.code} ${answer.details}`;
        return `hash ${answer.message.hash}, compacted ${answer.message.compact_revision}`;
      }),
    );
    if (shown.every((text) => text === shown[0] && text.startsWith('hash'))) return [];
    return among.map(({ name, kind }, index) => `${name} (${kind}) at revision ${revision}: ${shown[index]}`);
  }

  logTails(): string {
    return this.members.map((member) => member.logTail()).join('\n');
  }

  /** Ends all members in good order; what they may print at their end is printed. */
  async stop(): Promise<void> {
    await Promise.all(this.places.map((place) => place.stop()));
    await this.close();
  }

  async close(): Promise<void> {
    await Promise.all(
      this.places.map(async (place) => {
        place.connection.close();
        await place.kill();
      }),
    );
    await this.options.network?.close();
  }
}
