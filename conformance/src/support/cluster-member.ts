import { rmSync } from 'node:fs';
import { type Answer, Connection } from '../grpc/connection.ts';
import { loadMethods, type Message } from '../grpc/services.ts';
import type { ServerKind } from './programs.ts';
import { type Membership, type RunningServer, spawnServer } from './server.ts';

/** What a member says of itself, right or not. */
export interface MemberStatus {
  /** Decimal ids, as everywhere in messages; '0' where there is no leader. */
  readonly memberId: string;
  readonly leaderId: string;
  readonly term: number;
  readonly revision: number;
  readonly appliedIndex: number;
  readonly isLearner: boolean;
}

export interface MemberPlace {
  readonly name: string;
  readonly kind: ServerKind;
  readonly dataDir: string;
  readonly clientPort: number;
  /** Where it listens for peers. */
  readonly peerPort: number;
  /** What it tells the others; the port of a proxy when there is one. */
  readonly peerUrl: string;
}

const PROBE_TIMEOUT_MS = 1000;
let methods: ReturnType<typeof loadMethods> | undefined;

/** One place in a cluster, with the processes that follow each other there. */
export class ClusterMember {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly peerUrl: string;
  readonly dataDir: string;
  readonly connection: Connection;
  /** May change: a server of another kind may go on with the same directory. */
  kind: ServerKind;
  /** Decimal; empty until known. */
  id = '';
  server: RunningServer | undefined;
  private membership: Membership | undefined;
  private extraArgs: readonly string[] = [];

  constructor(place: MemberPlace) {
    this.name = place.name;
    this.kind = place.kind;
    this.clientPort = place.clientPort;
    this.peerPort = place.peerPort;
    this.peerUrl = place.peerUrl;
    this.dataDir = place.dataDir;
    methods ??= loadMethods();
    this.connection = new Connection(this.endpoint, methods);
  }

  get endpoint(): string {
    return `127.0.0.1:${this.clientPort}`;
  }

  get isRunning(): boolean {
    return this.server !== undefined && this.server.child.exit === undefined;
  }

  /** Starts a process for the first time, or anew with other flags. */
  launch(membership: Omit<Membership, 'name' | 'peerUrl'>, extraArgs: readonly string[]): void {
    this.membership = { ...membership, name: this.name, peerUrl: this.peerUrl };
    this.extraArgs = extraArgs;
    this.start();
  }

  /** Starts a process with the flags of the one before. */
  start(): void {
    if (this.membership === undefined) throw new Error(`${this.name} was never launched`);
    this.server = spawnServer({
      kind: this.kind,
      dataDir: this.dataDir,
      clientPort: this.clientPort,
      peerPort: this.peerPort,
      membership: this.membership,
      extraArgs: this.extraArgs,
    });
  }

  setExtraArgs(extraArgs: readonly string[]): void {
    this.extraArgs = extraArgs;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.server?.kill();
  }

  async stop(): Promise<void> {
    await this.server?.stop();
  }

  wipe(): void {
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  call(method: string, request: Message, timeoutMs = PROBE_TIMEOUT_MS): Promise<Answer> {
    return this.connection.unary(method, request, { timeoutMs });
  }

  async status(): Promise<MemberStatus | undefined> {
    if (!this.isRunning) return undefined;
    const answer = await this.call('Maintenance.Status', {});
    if (!answer.ok) return undefined;
    const header = answer.message.header as Message;
    return {
      memberId: String(header.member_id),
      leaderId: String(answer.message.leader),
      term: Number(header.raft_term),
      revision: Number(header.revision),
      appliedIndex: Number(answer.message.raftAppliedIndex),
      isLearner: answer.message.isLearner === true,
    };
  }

  /** Whether it answers a linearizable read; of a learner, that it knows a leader. */
  async isHealthy(): Promise<boolean> {
    const status = await this.status();
    if (status === undefined || status.leaderId === '0') return false;
    if (status.isLearner) return true;
    const read = await this.call('KV.Range', { key: Buffer.from('health') });
    return read.ok || read.code === 'PERMISSION_DENIED';
  }

  /** The version of the cluster as it knows it. */
  async clusterVersion(): Promise<string> {
    const response = await fetch(`http://${this.endpoint}/version`);
    const { etcdcluster } = (await response.json()) as { readonly etcdcluster: string };
    return etcdcluster;
  }

  /** One figure of its /metrics; labels are part of the name. Undefined when it is not there. */
  async metric(name: string): Promise<number | undefined> {
    const response = await fetch(`http://${this.endpoint}/metrics`);
    const line = (await response.text()).split('\n').find((text) => text.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  }

  logTail(lines = 12): string {
    const state = this.isRunning ? 'running' : `ended (${this.server?.child.exit ?? 'never started'})`;
    return `-- ${this.name} (${this.kind}) ${state}\n${this.server?.logTail(lines) ?? ''}`;
  }
}
