import { nextBelow, type Random } from '@quorate/base';
import type { Message } from '../grpc/services.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { ask, must } from './mixed-auth-calls.ts';

/** Random writes of a user whose permissions change all the while: members that judged one of them differently have different keys. */

const STEPS = 400;
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];
const LEASES = ['21', '22'];
/** One a key: how a role keeps many of one key depends on the sort of the Go version that etcd was built with. */
const GRANTS = ['a-b', 'b-', 'c-e', 'd-d\x01', 'e-\0', 'f-'].map((text) => {
  const [key = '', end = ''] = text.split('-');
  return { key: Buffer.from(key), range_end: Buffer.from(end) };
});

class Writer {
  private readonly random: Random;
  private readonly members: readonly ClusterMember[];
  private readonly tokens = new Map<string, string>();
  private step = 0;

  constructor(random: Random, members: readonly ClusterMember[]) {
    this.random = random;
    this.members = members;
  }

  private pick<T>(items: readonly T[]): T {
    return items[nextBelow(this.random, items.length)] as T;
  }

  private chance(percent: number): boolean {
    return nextBelow(this.random, 100) < percent;
  }

  /** Of any kind, inverted and empty ones too. */
  private interval(): { key: Buffer; range_end: Buffer } {
    const key = this.pick(KEYS);
    const end = this.chance(50) ? '' : this.chance(80) ? this.pick(KEYS) : '\0';
    return { key: Buffer.from(key), range_end: Buffer.from(end) };
  }

  private put(): Message {
    const lease = this.chance(25) ? this.pick(LEASES) : '0';
    return { key: this.interval().key, value: Buffer.from(`v${this.step}`), lease, prev_kv: this.chance(25) };
  }

  private operation(depth: number): Message {
    const form = nextBelow(this.random, depth > 0 ? 5 : 4);
    if (form === 0) return { request_range: this.interval() };
    if (form === 1) return { request_delete_range: { ...this.interval(), prev_kv: this.chance(25) } };
    if (form === 4) return { request_txn: this.txn(depth - 1) };
    return { request_put: this.put() };
  }

  private txn(depth: number): Message {
    const compare = this.chance(40) ? [{ ...this.interval(), target: 0, version: 0, result: this.pick([0, 3]) }] : [];
    return { compare, success: [this.operation(depth)], failure: [this.operation(depth)] };
  }

  private write(): [string, Message] {
    const form = nextBelow(this.random, 10);
    if (form === 0) return ['Lease.LeaseRevoke', { ID: this.pick(LEASES) }];
    if (form === 1) return ['Lease.LeaseGrant', { ID: this.pick(LEASES), TTL: 10_000 }];
    if (form < 4) return ['KV.Put', this.put()];
    if (form === 4) return ['KV.DeleteRange', this.interval()];
    return ['KV.Txn', this.txn(2)];
  }

  private administration(): [string, Message] {
    if (this.chance(40)) return ['Auth.RoleRevokePermission', { role: 'reader', ...this.pick(GRANTS) }];
    const perm = { permType: nextBelow(this.random, 3), ...this.pick(GRANTS) };
    return ['Auth.RoleGrantPermission', { name: 'reader', perm }];
  }

  private async as(member: ClusterMember, name: string): Promise<string> {
    const key = `${member.name} ${name}`;
    let token = this.tokens.get(key);
    if (token === undefined) {
      const answer = await must(member, 'Auth.Authenticate', { name, password: `${name}-password` });
      token = String(answer.token);
      this.tokens.set(key, token);
    }
    return token;
  }

  /** @returns how many writes of the user were let pass, and how many were not. */
  async run(): Promise<{ passed: number; denied: number }> {
    const counts = { passed: 0, denied: 0 };
    for (this.step = 0; this.step < STEPS; this.step++) {
      const member = this.pick(this.members);
      if (this.chance(25)) {
        const [method, request] = this.administration();
        await ask(member, method, request, await this.as(member, 'root'));
        continue;
      }
      const [method, request] = this.write();
      const answer = await ask(member, method, request, await this.as(member, 'alice'));
      if (answer.ok) counts.passed++;
      else if (answer.details === 'etcdserver: permission denied') counts.denied++;
    }
    return counts;
  }
}

/** @returns what speaks against it having tried anything. */
export async function writeRandomly(random: Random, members: readonly ClusterMember[]): Promise<string[]> {
  const { passed, denied } = await new Writer(random, members).run();
  return passed > STEPS / 20 && denied > STEPS / 20 ? [] : [`${passed} writes passed, ${denied} were denied`];
}
