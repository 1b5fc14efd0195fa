import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nextBelow, type Random, SeededRandom } from '@quorate/base';
import type { Options } from '../options.ts';
import type { Report } from '../support/report.ts';
import { scratchDir } from '../support/server.ts';
import { type AuthCase, enforced, logins, preparing } from './auth-cases.ts';
import { runDirectoryPart } from './auth-directory.ts';
import { canonicalMessage } from './canonical.ts';
import { runPart, type ServerPair, type SideName } from './pair.ts';
import type { Message } from './services.ts';

const STEPS = 1500;
const WAIT_MS = 10_000;
const USERS = ['u1', 'u2', 'u3', 'u4'] as const;
const ROLES = ['r1', 'r2', 'r3', 'root'] as const;
const LEASES = ['11', '12', '13'] as const;
const OPEN = '\0';

interface Call {
  readonly method: string;
  readonly request: Message;
  readonly masked?: readonly string[];
  /** What the reference itself must do. */
  readonly expectOk?: boolean;
}

function b(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Random administration and random use of the keys under changing identities. */
class AuthPlayer {
  private readonly pair: ServerPair;
  private readonly random: Random;
  /** Tokens differ on the two servers: both are kept under the user's name. */
  private readonly tokens = new Map<string, Record<SideName, string>>();
  private readonly seed: number;
  private step = 0;

  constructor(pair: ServerPair, seed: number) {
    this.pair = pair;
    this.seed = seed;
    this.random = new SeededRandom(seed + 5);
  }

  private pick<T>(items: readonly T[]): T {
    return items[nextBelow(this.random, items.length)] as T;
  }

  private chance(percent: number): boolean {
    return nextBelow(this.random, 100) < percent;
  }

  private interval(): { key: Buffer; range_end: Buffer } {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
    const key = this.chance(2) ? '' : this.pick(keys);
    const form = nextBelow(this.random, 10);
    const end = form < 4 ? '' : form < 8 ? this.pick([...keys, 'g']) : form < 9 ? OPEN : `${key}\0`;
    return { key: b(key), range_end: b(end) };
  }

  private async call(call: Call, identity: string, name = this.nameOf(`as ${identity}`)): Promise<void> {
    await this.pair.unary(name, call.method, call.request, {
      masked: call.masked ?? [],
      metadataOf: (side) => this.metadataOf(identity, side),
      ...(call.expectOk === undefined ? {} : { expectOk: call.expectOk }),
    });
  }

  private nameOf(what: string): string {
    return `seed ${this.seed} step ${this.step} ${what}`;
  }

  private metadataOf(identity: string, side: SideName): Record<string, string> {
    if (identity === 'nobody') return {};
    if (identity === 'forged') return { token: 'abcdefghijklmnop.3' };
    const token = this.tokens.get(identity)?.[side];
    return token === undefined ? {} : { token };
  }

  /** The first message of a stream, or its end. */
  private async first(call: Call, identity: string, name: string): Promise<void> {
    const answers = await this.pair.both(async (connection, side) => {
      const stream = connection.duplex(call.method, { metadata: this.metadataOf(identity, side) });
      stream.send(call.request);
      // Go hands a request of one message over only once the client has sent all.
      if (/RangeStream|Snapshot/.test(call.method)) stream.halfClose();
      await stream.until(() => stream.received.length > 0 || stream.end !== undefined, WAIT_MS);
      stream.cancel();
      return {
        hasMessage: stream.received.length > 0,
        text: canonicalMessage(stream.received[0] ?? stream.end ?? 'none'),
      };
    });
    const { reference, underTest } = answers;
    if (call.expectOk !== undefined && call.expectOk !== reference.hasMessage) {
      this.pair.require(name, false, `the reference was expected to behave otherwise: ${reference.text}`);
    } else this.pair.check(name, reference.text, underTest.text, canonicalMessage(call.request));
  }

  /** Both servers get the tokens that one of them gave. */
  async useTokensOf(side: SideName): Promise<void> {
    const own = new Map(this.tokens);
    for (const [name, tokens] of own) {
      this.tokens.set(name, { reference: tokens[side], underTest: tokens[side] });
      const call = { method: 'Cluster.MemberList', request: {}, masked: ['members'], expectOk: true };
      await this.call(call, name, `the token of ${name} by the ${side}`);
    }
    for (const [name, tokens] of own) this.tokens.set(name, tokens);
  }

  async send(one: Omit<AuthCase, 'ok'> & { readonly ok?: boolean }): Promise<void> {
    const { as, name, method, request, ok, masked = [], isStream } = one;
    const call = { method, request, masked, ...(ok === undefined ? {} : { expectOk: ok }) };
    if (isStream) await this.first(call, as, `${as}: ${name}`);
    else await this.call(call, as, `${as}: ${name}`);
  }

  async authenticate(name: string, password: string): Promise<void> {
    const request = { name, password };
    const answers = await this.pair.both((connection) => connection.unary('Auth.Authenticate', request));
    this.pair.checkAnswers(`seed ${this.seed} step ${this.step}: authenticate`, 'Auth.Authenticate', request, answers, [
      'token',
    ]);
    const { reference, underTest } = answers;
    if (reference.ok && underTest.ok) {
      this.tokens.set(name, {
        reference: String(reference.message.token),
        underTest: String(underTest.message.token),
      });
    }
  }

  private administration(): Call {
    const user = this.chance(5) ? 'root' : this.pick(USERS);
    const role = this.pick(ROLES);
    switch (nextBelow(this.random, 14)) {
      case 0:
        return {
          method: 'Auth.UserAdd',
          request: { name: user, password: 'pw', options: { no_password: this.chance(20) } },
        };
      case 1:
        return { method: 'Auth.UserDelete', request: { name: user } };
      case 2:
        return {
          method: 'Auth.UserChangePassword',
          request: { name: user, password: user === 'root' ? 'rootpw' : 'pw' },
        };
      case 3:
      case 4:
        return {
          method: 'Auth.UserGrantRole',
          request: { user, role: this.chance(85) ? this.pick(ROLES.slice(0, 3)) : role },
        };
      case 5:
        return { method: 'Auth.UserRevokeRole', request: { name: user, role } };
      case 6:
        return { method: 'Auth.RoleAdd', request: { name: role } };
      case 7:
        return this.chance(40)
          ? { method: 'Auth.RoleDelete', request: { role } }
          : { method: 'Auth.RoleGet', request: { role } };
      case 8:
        return { method: 'Auth.RoleRevokePermission', request: { role, ...this.interval() } };
      case 9:
        return { method: 'Auth.UserGet', request: { name: user } };
      case 10:
        return { method: this.pick(['Auth.UserList', 'Auth.RoleList', 'Auth.AuthStatus']), request: {} };
      default:
        return {
          method: 'Auth.RoleGrantPermission',
          request: { name: role, perm: { permType: nextBelow(this.random, 3), ...this.interval() } },
        };
    }
  }

  private operation(): Message {
    const form = nextBelow(this.random, 4);
    if (form === 0) return { request_range: this.interval() };
    if (form === 1) return { request_delete_range: { ...this.interval(), prev_kv: this.chance(40) } };
    if (form === 2) {
      return { request_txn: { success: [{ request_range: this.interval() }], failure: [{ request_put: this.put() }] } };
    }
    return { request_put: this.put() };
  }

  private put(): Message {
    return {
      key: this.interval().key,
      value: b(`v${this.step}`),
      prev_kv: this.chance(30),
      lease: this.chance(20) ? this.pick(LEASES) : '0',
    };
  }

  private use(): Call {
    const form = nextBelow(this.random, 100);
    if (form < 30) return { method: 'KV.Range', request: { ...this.interval(), serializable: this.chance(40) } };
    if (form < 48) return { method: 'KV.Put', request: this.put() };
    if (form < 58) {
      return { method: 'KV.DeleteRange', request: { ...this.interval(), prev_kv: this.chance(40) } };
    }
    if (form < 78) {
      const compare = this.chance(50) ? [{ ...this.interval(), target: 0, version: 0, result: 3 }] : [];
      return { method: 'KV.Txn', request: { compare, success: [this.operation()], failure: [this.operation()] } };
    }
    const lease = { ID: this.pick(LEASES) };
    if (form < 82) return { method: 'Lease.LeaseGrant', request: { ...lease, TTL: 1000 * Number(lease.ID) } };
    if (form < 84) return { method: 'Lease.LeaseRevoke', request: lease };
    if (form < 88) {
      return { method: 'Lease.LeaseTimeToLive', request: { ...lease, keys: true }, masked: ['TTL', 'keys'] };
    }
    if (form < 90) return { method: 'Lease.LeaseLeases', request: {} };
    if (form < 92) return { method: 'Cluster.MemberList', request: {}, masked: ['members'] };
    if (form < 94) return { method: 'Maintenance.HashKV', request: {} };
    if (form < 95) return { method: 'Maintenance.Defragment', request: {} };
    if (form < 96) return { method: 'Maintenance.Alarm', request: { action: nextBelow(this.random, 1) } };
    if (form < 97) return { method: 'Cluster.MemberRemove', request: { ID: 4711 } };
    if (form < 98) return { method: 'KV.Compact', request: { revision: 1 } };
    if (form < 99) return { method: 'Maintenance.Downgrade', request: { action: 0, version: '3.5' } };
    return { method: 'Maintenance.MoveLeader', request: { targetID: 4711 } };
  }

  /** Only the first answer counts: created, or why not. */
  private async watch(identity: string): Promise<void> {
    const request = { create_request: { ...this.interval(), prev_kv: true } };
    const tokens = this.tokens.get(identity);
    const answers = await this.pair.both(async (connection, side) => {
      const call = connection.duplex('Watch.Watch', tokens === undefined ? {} : { metadata: { token: tokens[side] } });
      call.send(request);
      await call.until(() => call.received.length > 0, WAIT_MS);
      call.cancel();
      return canonicalMessage(call.received[0] ?? call.end ?? 'no answer');
    });
    this.pair.check(
      `seed ${this.seed} step ${this.step}: watch as ${identity}`,
      answers.reference,
      answers.underTest,
      canonicalMessage(request),
    );
  }

  private async keepAlive(identity: string): Promise<void> {
    const tokens = this.tokens.get(identity);
    const id = this.pick(LEASES);
    const answers = await this.pair.both(async (connection, side) => {
      const call = connection.duplex(
        'Lease.LeaseKeepAlive',
        tokens === undefined ? {} : { metadata: { token: tokens[side] } },
      );
      call.send({ ID: id });
      await call.until(() => call.received.length > 0 || call.end !== undefined, WAIT_MS);
      call.cancel();
      return canonicalMessage(call.received[0] ?? call.end ?? 'no answer');
    });
    this.pair.check(
      `seed ${this.seed} step ${this.step}: keep-alive as ${identity}`,
      answers.reference,
      answers.underTest,
      `lease ${id}`,
    );
  }

  async setUp(): Promise<void> {
    const calls: readonly Call[] = [
      { method: 'Auth.UserAdd', request: { name: 'root', password: 'rootpw' } },
      { method: 'Auth.RoleAdd', request: { name: 'root' } },
      { method: 'Auth.UserGrantRole', request: { user: 'root', role: 'root' } },
      ...USERS.map((name) => ({ method: 'Auth.UserAdd', request: { name, password: 'pw' } })),
      ...ROLES.slice(0, 3).map((name) => ({ method: 'Auth.RoleAdd', request: { name } })),
      ...USERS.slice(0, 3).map((user, index) => ({
        method: 'Auth.UserGrantRole',
        request: { user, role: ROLES[index] },
      })),
      {
        method: 'Auth.RoleGrantPermission',
        request: { name: 'r1', perm: { permType: 2, key: b('a'), range_end: b('c') } },
      },
      {
        method: 'Auth.RoleGrantPermission',
        request: { name: 'r1', perm: { permType: 0, key: b('c'), range_end: b('e') } },
      },
      {
        method: 'Auth.RoleGrantPermission',
        request: { name: 'r2', perm: { permType: 1, key: b('b'), range_end: b('f') } },
      },
      {
        method: 'Auth.RoleGrantPermission',
        request: { name: 'r3', perm: { permType: 2, key: b('d'), range_end: b(OPEN) } },
      },
      ...['a', 'b', 'c', 'd', 'e', 'f'].map((key) => ({
        method: 'KV.Put',
        request: { key: b(key), value: b('first') },
      })),
      { method: 'Auth.AuthEnable', request: {} },
    ];
    for (const call of calls) await this.call(call, 'nobody');
    await this.authenticate('root', 'rootpw');
    for (const name of USERS) await this.authenticate(name, 'pw');
  }

  async play(steps: number): Promise<void> {
    for (this.step = 0; this.step < steps; this.step++) {
      const form = nextBelow(this.random, 100);
      const identity = this.pick(['nobody', 'forged', 'root', 'root', ...USERS, ...USERS]);
      if (form < 14) {
        await this.call(this.administration(), this.chance(85) ? 'root' : identity);
      } else if (form < 20) {
        const name = this.pick([...USERS, 'root', 'unknown', '']);
        const wrong = this.chance(20);
        await this.authenticate(name, wrong ? 'wrong' : name === 'root' ? 'rootpw' : 'pw');
        // The root user must go on; a stale token of the others is part of the test.
      } else if (form < 24) {
        await this.watch(identity === 'forged' ? 'nobody' : identity);
      } else if (form < 26) {
        await this.keepAlive(identity === 'forged' ? 'nobody' : identity);
      } else {
        await this.call(this.use(), identity);
      }
      if (this.step % 25 === 0) await this.authenticate('root', 'rootpw');
    }
  }

  async compareAll(): Promise<void> {
    await this.authenticate('root', 'rootpw');
    for (const method of ['Auth.AuthStatus', 'Auth.UserList', 'Auth.RoleList']) {
      await this.call({ method, request: {} }, 'root');
    }
    for (const name of [...USERS, 'root']) await this.call({ method: 'Auth.UserGet', request: { name } }, 'root');
    for (const role of ROLES) await this.call({ method: 'Auth.RoleGet', request: { role } }, 'root');
    await this.call({ method: 'KV.Range', request: { key: b(OPEN), range_end: b(OPEN) } }, 'root');
  }
}

/** The rules one by one. */
async function authRules(pair: ServerPair, seed: number): Promise<void> {
  const player = new AuthPlayer(pair, seed);
  for (const one of preparing) await player.send(one);
  for (const [name, password] of logins) await player.authenticate(name, password);
  for (const one of enforced) await player.send(one);
}

async function randomAuth(pair: ServerPair, seed: number): Promise<void> {
  const player = new AuthPlayer(pair, seed);
  await player.setUp();
  await player.play(STEPS);
  await player.compareAll();
  // Users and roles outlive a restart; simple tokens do not, unless the log gives them again: what is in the database by then is not read again.
  await player.send({ as: 'root', name: 'defragment', method: 'Maintenance.Defragment', request: {}, ok: true });
  await pair.restart('kill');
  await player.play(5);
  await player.compareAll();
}

/** Tokens that carry the auth revision: any change makes them old. */
async function jwtAuth(pair: ServerPair, seed: number): Promise<void> {
  const player = new AuthPlayer(pair, seed + 1);
  await player.setUp();
  await player.play(250);
  await player.compareAll();
}

/** The rules under tokens that carry a revision, and tokens of one server at the other. */
async function jwtRules(pair: ServerPair, seed: number): Promise<void> {
  const player = new AuthPlayer(pair, seed);
  for (const one of preparing) await player.send(one);
  for (const [name, password] of logins) await player.authenticate(name, password);
  await player.useTokensOf('reference');
  await player.useTokensOf('underTest');
  // What is expected of the reference is written for simple tokens.
  for (const { ok: _ok, ...one } of enforced) await player.send(one);
}

/** Servers that cannot make tokens. */
async function noTokens(pair: ServerPair, seed: number): Promise<void> {
  const player = new AuthPlayer(pair, seed);
  for (const one of preparing) await player.send(one);
  for (const [name, password] of logins) await player.authenticate(name, password);
  for (const { ok: _ok, ...one } of enforced.filter(({ as }) => as !== 'root')) await player.send(one);
}

interface KeyFiles {
  readonly publicKey: string;
  readonly privateKey: string;
}

const signMethods = ['RS256', 'PS384', 'ES256', 'ES512', 'EdDSA', 'HS256'] as const;

function writeKeys(directory: string, method: (typeof signMethods)[number]): KeyFiles {
  const files = { publicKey: join(directory, `${method}.pub`), privateKey: join(directory, `${method}.key`) };
  const { publicKey, privateKey } = keyTexts(method);
  writeFileSync(files.publicKey, publicKey);
  writeFileSync(files.privateKey, privateKey);
  return files;
}

function keyTexts(method: (typeof signMethods)[number]): { publicKey: string; privateKey: string } {
  if (method === 'HS256') return { publicKey: '', privateKey: 'a secret that both servers know' };
  const { publicKey, privateKey } = keyPair(method);
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function keyPair(method: (typeof signMethods)[number]): KeyPairKeyObjectResult {
  switch (method) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ES512':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' });
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    default:
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
  }
}

export async function runAuthSuite(options: Options, report: Report): Promise<void> {
  const directory = scratchDir('auth');
  const cheap = '--bcrypt-cost=4';
  const { seed } = options;
  await runPart('auth rules', options, report, directory, [cheap], (pair) => authRules(pair, seed));
  await runPart('auth simple', options, report, directory, [cheap], (pair) => randomAuth(pair, seed));
  const jwtFlag = (method: (typeof signMethods)[number]) => {
    const { publicKey, privateKey } = writeKeys(directory, method);
    const pub = method === 'HS256' ? '' : `pub-key=${publicKey},`;
    return `--auth-token=jwt,${pub}priv-key=${privateKey},sign-method=${method},ttl=10m`;
  };
  await runPart('auth jwt', options, report, directory, [cheap, jwtFlag('RS256')], (pair) => jwtAuth(pair, seed));
  for (const method of signMethods) {
    const flags = [cheap, jwtFlag(method)];
    await runPart(`auth jwt ${method}`, options, report, directory, flags, (pair) => jwtRules(pair, seed));
  }
  const verifying = `--auth-token=jwt,pub-key=${writeKeys(directory, 'RS256').publicKey},sign-method=RS256`;
  for (const [name, flag] of [
    ['auth verify only', verifying],
    ['auth without tokens', '--auth-token='],
  ] as const) {
    await runPart(name, options, report, directory, [cheap, flag], (pair) => noTokens(pair, seed));
  }
  for (const kind of ['etcd34', 'etcd37'] as const) await runDirectoryPart(kind, options, report, directory);
}
