import { authpb, type ErrorSymbol, type etcdserverpb } from '@quorate/api';
import { latin1FromBytes } from '@quorate/base';
import type { ModelRequest, ModelState } from './state.ts';

const { PermissionType } = authpb;
const rootName = 'root';
const open = '\0';

/** Whose request it is, with the revision of users and roles under which it was let in; 0 for nobody. */
export interface Caller {
  readonly username: string;
  readonly authRevision: number;
}

type Access = 'read' | 'write';

interface Grant {
  readonly key: string;
  readonly rangeEnd: string;
  readonly type: authpb.PermissionType;
}

/** Users, roles, and what they may do when their requests are applied. As naive as the model of the keys, and like it of the specification alone. */
export class AuthModel {
  isEnabled = false;
  revision = 1;
  /** Roles of each user. */
  private readonly users = new Map<string, Set<string>>();
  private readonly roles = new Map<string, readonly Grant[]>();

  /** Does what an entry of the log asks of users and roles, if anything; whether it was refused, only the effect tells. */
  apply(request: etcdserverpb.InternalRaftRequest, caller: Caller): void {
    if (this.isEnabled && !this.isAdmin(caller)) return;
    if (this.applySwitch(request) || this.applyToUsers(request) || this.applyToRoles(request)) this.revision += 1;
  }

  /** Why a request on keys is denied when it is applied. */
  refuse(request: ModelRequest, caller: Caller, state: ModelState): ErrorSymbol | undefined {
    if (!this.isEnabled) return undefined;
    switch (request.method) {
      case 'put':
        return this.refusePut(request.message, caller, state);
      case 'delete':
        return this.refuseDelete(request.message, caller);
      case 'txn':
        return this.refuseTxn(request.message, caller, state);
      case 'lease-revoke':
        return this.refuseLease(request.message.id, caller, state);
      default:
        return undefined;
    }
  }

  /** Each of these tells whether it counts as a change; that does not include switching on. */
  private applySwitch({ authEnable, authDisable }: etcdserverpb.InternalRaftRequest): boolean {
    if (authEnable !== undefined && this.users.get(rootName)?.has(rootName)) this.isEnabled = true;
    const isDisabled = authDisable !== undefined && this.isEnabled;
    if (isDisabled) this.isEnabled = false;
    return isDisabled;
  }

  private applyToUsers(request: etcdserverpb.InternalRaftRequest): boolean {
    const { authUserAdd, authUserDelete, authUserChangePassword, authUserGrantRole, authUserRevokeRole } = request;
    const { users } = this;
    if (authUserAdd !== undefined) {
      const { name } = authUserAdd;
      if (name === '' || users.has(name)) return false;
      users.set(name, new Set());
      return true;
    }
    if (authUserDelete !== undefined) {
      const { name } = authUserDelete;
      return !(this.isEnabled && name === rootName) && users.delete(name);
    }
    if (authUserChangePassword !== undefined) return users.has(authUserChangePassword.name);
    if (authUserGrantRole !== undefined) {
      const { user, role } = authUserGrantRole;
      const held = users.get(user);
      if (held === undefined || held.has(role) || (role !== rootName && !this.roles.has(role))) return false;
      held.add(role);
      return true;
    }
    if (authUserRevokeRole === undefined) return false;
    const { name, role } = authUserRevokeRole;
    if (this.isEnabled && name === rootName && role === rootName) return false;
    return users.get(name)?.delete(role) === true;
  }

  private applyToRoles(request: etcdserverpb.InternalRaftRequest): boolean {
    const { authRoleAdd, authRoleDelete, authRoleGrantPermission, authRoleRevokePermission } = request;
    const { roles } = this;
    if (authRoleAdd !== undefined) {
      const { name } = authRoleAdd;
      if (name === '' || roles.has(name)) return false;
      roles.set(name, []);
      return true;
    }
    if (authRoleDelete !== undefined) {
      const { role } = authRoleDelete;
      if ((this.isEnabled && role === rootName) || !roles.delete(role)) return false;
      for (const held of this.users.values()) held.delete(role);
      return true;
    }
    if (authRoleGrantPermission !== undefined) return this.grant(authRoleGrantPermission);
    if (authRoleRevokePermission === undefined) return false;
    const { role, key, rangeEnd } = authRoleRevokePermission;
    const grants = roles.get(role) ?? [];
    const [from, end] = [latin1FromBytes(key), latin1FromBytes(rangeEnd)];
    const kept = grants.filter((grant) => grant.key !== from || grant.rangeEnd !== end);
    if (kept.length === grants.length) return false;
    roles.set(role, kept);
    return true;
  }

  /** Of several grants at one key only the first is looked at, whether it is replaced. */
  private grant({ name, perm }: etcdserverpb.AuthRoleGrantPermissionRequest): boolean {
    const grants = this.roles.get(name);
    if (perm === undefined || grants === undefined || perm.key.length === 0) return false;
    const grant = {
      key: latin1FromBytes(perm.key),
      rangeEnd: latin1FromBytes(perm.rangeEnd),
      type: perm.permType,
    };
    const { key, rangeEnd } = grant;
    if (rangeEnd !== '' && rangeEnd !== open && rangeEnd <= key) return false;
    const at = grants.findIndex((other) => other.key === key);
    const isReplaced = grants[at]?.rangeEnd === rangeEnd;
    this.roles.set(name, isReplaced ? grants.with(at, grant) : [...grants, grant]);
    return true;
  }

  private isAdmin({ username }: Caller): boolean {
    return this.users.get(username)?.has(rootName) === true;
  }

  private refusePut(put: etcdserverpb.PutRequest, caller: Caller, state: ModelState): ErrorSymbol | undefined {
    const interval = { key: put.key, rangeEnd: put.key.subarray(0, 0) };
    return (
      this.refuseAccess(interval, 'write', caller) ??
      this.refuseLease(put.lease, caller, state) ??
      (put.prevKv ? this.refuseAccess(interval, 'read', caller) : undefined)
    );
  }

  private refuseDelete(request: etcdserverpb.DeleteRangeRequest, caller: Caller): ErrorSymbol | undefined {
    return (
      this.refuseAccess(request, 'write', caller) ??
      (request.prevKv ? this.refuseAccess(request, 'read', caller) : undefined)
    );
  }

  /** Compares and both branches, whichever would run. */
  private refuseTxn(request: etcdserverpb.TxnRequest, caller: Caller, state: ModelState): ErrorSymbol | undefined {
    const { compare, success, failure } = request;
    for (const interval of compare) {
      const error = this.refuseAccess(interval, 'read', caller);
      if (error !== undefined) return error;
    }
    for (const { requestRange, requestPut, requestDeleteRange, requestTxn } of [...success, ...failure]) {
      const error =
        (requestRange && this.refuseAccess(requestRange, 'read', caller)) ??
        (requestPut && this.refusePut(requestPut, caller, state)) ??
        (requestDeleteRange && this.refuseDelete(requestDeleteRange, caller)) ??
        (requestTxn && this.refuseTxn(requestTxn, caller, state));
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /** A lease is its keys': who ends it, or hangs another key on it, must be allowed to write all of them. */
  private refuseLease(id: bigint, caller: Caller, { keys }: ModelState): ErrorSymbol | undefined {
    if (id === 0n || this.isAdmin(caller)) return undefined;
    let error: ErrorSymbol | undefined;
    keys.scan('', undefined, ({ key, lease }) => {
      if (lease === id) error = this.refuseAccess({ key, rangeEnd: key.subarray(0, 0) }, 'write', caller);
      return error === undefined;
    });
    return error;
  }

  private refuseAccess(
    { key, rangeEnd }: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array },
    access: Access,
    { username, authRevision }: Caller,
  ): ErrorSymbol | undefined {
    if (authRevision === 0) return 'ErrGRPCUserEmpty';
    if (authRevision < this.revision) return 'ErrGRPCAuthOldRevision';
    const held = this.users.get(username);
    if (held === undefined) return 'ErrGRPCPermissionDenied';
    if (held.has(rootName)) return undefined;
    const wanted = access === 'read' ? PermissionType.READ : PermissionType.WRITE;
    const grants = [...held]
      .flatMap((role) => this.roles.get(role) ?? [])
      .filter(({ type }) => type === wanted || type === PermissionType.READWRITE);
    return covers(grants, latin1FromBytes(key), latin1FromBytes(rangeEnd)) ? undefined : 'ErrGRPCPermissionDenied';
  }
}

/** Whether grants cover an interval without a gap; an empty interval counts as its first key. */
function covers(grants: readonly Grant[], key: string, rangeEnd: string): boolean {
  const isSingle = rangeEnd === '' || (rangeEnd !== open && rangeEnd <= key);
  const end = isSingle ? `${key}\0` : rangeEnd;
  for (let covered = key; ; ) {
    const fitting = grants.filter((grant) => grant.key <= covered && isBelow(covered, endOf(grant)));
    if (fitting.some((grant) => endOf(grant) === open)) return true;
    const next = fitting.map(endOf).reduce((a, b) => (a > b ? a : b), covered);
    if (end !== open && next >= end) return true;
    if (next === covered) return false;
    covered = next;
  }
}

function endOf({ key, rangeEnd }: Grant): string {
  return rangeEnd === '' ? `${key}\0` : rangeEnd;
}

function isBelow(key: string, end: string): boolean {
  return end === open || key < end;
}
