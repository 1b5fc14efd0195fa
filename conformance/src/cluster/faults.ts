import { nextBelow, type Random } from '@quorate/base';
import type { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { sleep } from '../support/text.ts';

const QUIET_MS_MAX = 2500;
const DOWN_MS_MAX = 2500;
const RECOVERY_MS_MAX = 500;

/** Kills members of a cluster, brings them back, and now and then lets one begin anew without its data. */
export class Faults {
  kills = 0;
  wipes = 0;
  /** What was done, for failure reports. */
  readonly diary: string[] = [];
  private readonly cluster: Cluster;
  private readonly random: Random;

  constructor(cluster: Cluster, random: Random) {
    this.cluster = cluster;
    this.random = random;
  }

  /** Goes on until `endMs`; then every member runs again. */
  async run(endMs: number): Promise<void> {
    // Fixed, so that no round is without them.
    const first = [() => this.killLeader(), () => this.beginAnew()];
    while (Date.now() < endMs) {
      await sleep(nextBelow(this.random, QUIET_MS_MAX));
      await (first.shift() ?? this.pick())();
    }
    this.startAll();
  }

  private pick(): () => Promise<void> {
    const form = nextBelow(this.random, 100);
    if (form < 45) return () => this.killSome(1);
    if (form < 65) return () => this.killLeader();
    if (form < 75) return () => this.killSome(2 + nextBelow(this.random, this.cluster.members.length - 1));
    if (form < 85) return () => this.killWhileStarting();
    return () => this.beginAnew();
  }

  private note(text: string): void {
    this.diary.push(`${new Date().toISOString().slice(11, 23)} ${text}`);
  }

  private startAll(): void {
    for (const member of this.cluster.members) if (!member.isRunning) member.start();
  }

  private choose(count: number): ClusterMember[] {
    const left = [...this.cluster.members];
    return Array.from({ length: count }, () => left.splice(nextBelow(this.random, left.length), 1)).flat();
  }

  private async kill(members: readonly ClusterMember[]): Promise<void> {
    this.note(`kill ${members.map(({ name }) => name).join(', ')}`);
    this.kills += members.length;
    await Promise.all(members.map((member) => member.kill()));
  }

  private async killSome(count: number): Promise<void> {
    await this.kill(this.choose(count));
    await sleep(nextBelow(this.random, DOWN_MS_MAX));
    this.startAll();
  }

  private async killLeader(): Promise<void> {
    const leader = await this.cluster.leader();
    if (leader === undefined) return;
    await this.kill([leader]);
    await sleep(nextBelow(this.random, DOWN_MS_MAX));
    this.startAll();
  }

  /** It dies again on its way up. */
  private async killWhileStarting(): Promise<void> {
    const members = this.choose(1);
    await this.kill(members);
    this.startAll();
    await sleep(nextBelow(this.random, RECOVERY_MS_MAX));
    await this.kill(members);
    this.startAll();
  }

  private async beginAnew(): Promise<void> {
    const [member] = this.choose(1);
    if (member === undefined) return;
    // Without it the others must be a quorum: this is about lost data of one, not about a lost cluster.
    await this.cluster.waitHealthy();
    await this.kill([member]);
    this.note(`${member.name} begins anew`);
    this.wipes++;
    await this.cluster.replace(member);
    this.note(`${member.name} is back as a new member`);
  }
}
