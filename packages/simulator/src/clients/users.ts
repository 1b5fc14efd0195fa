import { authpb, errors, etcdserverpb, type Method, services } from '@quorate/api';
import { utf8ToBytes } from '@quorate/base';
import type { World } from '../cluster/world.ts';
import type { PermissionChange } from '../history/history.ts';
import { ClientPort, type Login, textOf } from './client-port.ts';

export const rootLogin: Login = { name: 'root', password: 'r' };
/** May do with keys what clients do. */
export const workerLogin: Login = { name: 'worker', password: 'w' };
/** May write and read {@link guestKey} at some times and not at others. */
export const guestLogin: Login = { name: 'guest', password: 'g' };
export const guestKey = utf8ToBytes('g/0');

const timeoutMs = 5_000;
const retryMs = 100;
/** What a try says whose answer to the one before got lost. */
const doneBefore = new Set<string>([
  errors.ErrGRPCUserAlreadyExist.message,
  errors.ErrGRPCRoleAlreadyExist.message,
  errors.ErrGRPCPermissionNotGranted.message,
]);
const allFromZero = Uint8Array.of(0);

const { methods } = services.Auth;
const {
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserAddRequest,
  AuthUserGrantRoleRequest,
} = etcdserverpb;

/** Makes the users of a cluster, and changes what the guest may. */
export class Users {
  readonly changes: PermissionChange[] = [];
  private readonly world: World;
  private readonly port: ClientPort;
  private isChanging = false;

  constructor(world: World) {
    this.world = world;
    this.port = new ClientPort('users', world.network);
  }

  /** Users are asked for from then on. */
  async setUp(): Promise<void> {
    for (const login of [rootLogin, workerLogin, guestLogin]) {
      await this.insist(methods.UserAdd, AuthUserAddRequest.create(login));
      await this.insist(methods.RoleAdd, { name: login.name });
      await this.insist(methods.UserGrantRole, AuthUserGrantRoleRequest.create({ user: login.name, role: login.name }));
    }
    const all = { permType: authpb.PermissionType.READWRITE, key: allFromZero, rangeEnd: allFromZero };
    const grant = AuthRoleGrantPermissionRequest.create({ name: 'worker', perm: authpb.Permission.create(all) });
    await this.insist(methods.RoleGrantPermission, grant);
    await this.insist(methods.AuthEnable, {});
    this.port.login = rootLogin;
  }

  /** Gives the guest its permission or takes it away; while one change is under way, others are not made. */
  async change(isAllowed: boolean): Promise<void> {
    if (this.isChanging) return;
    this.isChanging = true;
    const { scheduler } = this.world;
    const invokedMs = scheduler.nowMs;
    const change = { isAllowed, invokedMs, returnedMs: Number.POSITIVE_INFINITY };
    this.changes.push(change);
    if (isAllowed) {
      const perm = authpb.Permission.create({ permType: authpb.PermissionType.READWRITE, key: guestKey });
      await this.insist(methods.RoleGrantPermission, AuthRoleGrantPermissionRequest.create({ name: 'guest', perm }));
    } else {
      const request = AuthRoleRevokePermissionRequest.create({ role: 'guest', key: guestKey });
      await this.insist(methods.RoleRevokePermission, request);
    }
    change.returnedMs = scheduler.nowMs;
    this.isChanging = false;
  }

  /** Until it is done, or was done before. */
  private async insist<Request, Response>(method: Method<Request, Response>, request: Request): Promise<void> {
    const { world, port } = this;
    for (let tries = 0; ; tries++) {
      const machine = world.machines[tries % world.machines.length];
      if (machine === undefined) return;
      const outcome = await port.call(machine, method, request, { timeoutMs });
      world.trace.note('users', `${method.name} at ${machine.name}: ${textOf(outcome)}`);
      if (outcome.kind === 'ok') return;
      if (outcome.kind === 'refused' && doneBefore.has(outcome.text)) return;
      await world.scheduler.delay(retryMs);
    }
  }
}
