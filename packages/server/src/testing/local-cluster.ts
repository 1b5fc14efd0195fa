import { createHash } from 'node:crypto';
import { etcdserverpb } from '@quorate/api';
import { MemoryDisk, SeededRandom, silentLogger, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { type Message, MessageType } from '@quorate/raft';
import { noNames } from '../bootstrap/testing/peers.ts';
import { makeConfig } from '../config/config.ts';
import { parseArguments } from '../config/parse.ts';
import { Member } from '../member/member.ts';
import { MetricsRegistry } from '../metrics/registry.ts';
import { noPeerClient, noPeers, type PeerNetwork } from '../replica/peer-network.ts';
import { RequestField } from '../rpc/proposals.ts';
import { etcdVersion } from '../version.ts';
import { authDeps } from './plain-passwords.ts';

const clock = new NodeClock();

export interface LocalMember {
  readonly name: string;
  readonly disk: MemoryDisk;
  member: Member;
}

/** Members in one process over disks in memory, whose network hands messages and snapshots on; what is for a member that is cut off is lost. */
export class LocalCluster {
  readonly names: string[];
  readonly locals: LocalMember[] = [];
  readonly cutOff = new Set<bigint>();
  /** What broke a member. */
  readonly broken: unknown[] = [];
  snapshotsSent = 0;
  private readonly flags: readonly string[];

  constructor(names: readonly string[], flags: readonly string[] = []) {
    this.names = [...names];
    this.flags = flags;
  }

  get members(): Member[] {
    return this.locals.map(({ member }) => member);
  }

  /** Starts all; resolves when all serve. */
  async start(): Promise<void> {
    for (const name of this.names) {
      const disk = new MemoryDisk();
      this.locals.push({ name, disk, member: await this.open(name, disk) });
    }
    await Promise.all(this.members.map((member) => member.start()));
  }

  /** Where the next member to join must be added. */
  get nextUrl(): string {
    return this.urlOf(this.names.length);
  }

  /** Starts a member more, which has been added at {@link nextUrl}; resolves when it serves. */
  async join(name: string): Promise<Member> {
    const disk = new MemoryDisk();
    this.names.push(name);
    const member = await this.open(name, disk, ['--initial-cluster-state=existing']);
    this.locals.push({ name, disk, member });
    await member.start();
    return member;
  }

  /** Opens a stopped member on the disk it left. */
  async restart(local: LocalMember): Promise<void> {
    local.member = await this.open(local.name, local.disk);
    await local.member.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }

  leader(): Member | undefined {
    return this.members.find((member) => member.isLeader() && !this.cutOff.has(member.memberId));
  }

  private urlOf(place: number): string {
    return `http://localhost:${12_000 + place}`;
  }

  private open(name: string, disk: MemoryDisk, flags: readonly string[] = []): Promise<Member> {
    const urlOf = (one: string) => this.urlOf(this.names.indexOf(one));
    const config = makeConfig(
      parseArguments([
        `--name=${name}`,
        `--initial-cluster=${this.names.map((one) => `${one}=${urlOf(one)}`).join(',')}`,
        `--initial-advertise-peer-urls=${urlOf(name)}`,
        '--heartbeat-interval=10',
        '--election-timeout=100',
        ...this.flags,
        ...flags,
      ]),
    );
    const random = new SeededRandom(this.names.indexOf(name) + 1);
    return Member.open(
      {
        clock,
        disk,
        random,
        ...authDeps({ clock, random }),
        logger: silentLogger,
        metrics: new MetricsRegistry(),
        connect: (source) => this.networkOf(source.memberId),
        peerClient: {
          ...noPeerClient,
          version: async () => ({ server: etcdVersion, cluster: this.members[0]?.cluster.version }),
          members: async () => {
            const [known] = this.members as [Member];
            return { clusterId: known.clusterId, members: known.cluster.members };
          },
        },
        resolver: noNames,
        sha1: (bytes) => createHash('sha1').update(bytes).digest(),
        sha256: () => ({ update() {}, finish: () => new Uint8Array(32) }),
        onFatal: (error) => this.broken.push(error),
      },
      config,
    );
  }

  private networkOf(sender: bigint): PeerNetwork {
    return {
      ...noPeers,
      send: (messages) => {
        for (const message of messages) clock.defer(() => this.deliver(sender, message));
      },
      activeSince: () => 0,
    };
  }

  private of(id: bigint): Member | undefined {
    return this.members.find((member) => member.memberId === id);
  }

  private deliver(sender: bigint, message: Message): void {
    const isLost = this.cutOff.has(sender) || this.cutOff.has(message.to);
    if (message.type === MessageType.MsgSnap) void this.deliverSnapshot(sender, message, isLost);
    else if (!isLost) this.of(message.to)?.door.receive(message);
  }

  private async deliverSnapshot(sender: bigint, message: Message, isLost: boolean): Promise<void> {
    const from = this.of(sender)?.door;
    try {
      if (isLost || from === undefined) throw new Error('the way is cut');
      const outgoing = await from.openSnapshot(message);
      try {
        await this.of(message.to)?.door.receiveSnapshot(outgoing.message, outgoing.chunks());
      } finally {
        outgoing.close();
      }
      this.snapshotsSent++;
      from.reportSnapshot(message.to, 'finished');
    } catch {
      from?.reportSnapshot(message.to, 'failed');
    }
  }
}

/** Resolves with the revision. */
export function put(member: Member, key: string, value: string): Promise<number> {
  const request = etcdserverpb.PutRequest.create({ key: utf8ToBytes(key), value: utf8ToBytes(value) });
  return new Promise((resolve, reject) => {
    member.proposals.propose(RequestField.put, etcdserverpb.PutRequest.encode(request), {
      applied: (result) => resolve(result.revision),
      failed: (symbol) => reject(new Error(symbol)),
    });
  });
}

/** A linearizable read. */
export async function read(member: Member, key: string): Promise<string | undefined> {
  await member.checkRead(false);
  const record = member.store.get(utf8ToBytes(key));
  if (record === undefined) return undefined;
  const around = etcdserverpb.RangeResponseRaw.encode(etcdserverpb.RangeResponseRaw.create({ kvs: [record] }));
  return utf8FromBytes(etcdserverpb.RangeResponse.decode(around).kvs[0]?.value ?? new Uint8Array(0));
}

/** Lets turns of the event loop pass until the condition holds; the test's own time limit ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => clock.defer(resolve));
}
