import { authpb, type ErrorSymbol, type etcdserverpb } from '@quorate/api';
import { emptyBytes, latin1ToBytes } from '@quorate/base';
import type { AuthRecords } from './auth-records.ts';
import { type Identity, rootName } from './identity.ts';
import { IntervalUnion } from './interval-union.ts';

const { PermissionType } = authpb;

/** Keys attached to leases, as far as permissions ask. */
export interface LeaseKeys {
  keysOf(id: bigint): readonly string[];
}

/** The parts of a put that permissions depend on. */
export interface PutAccess {
  readonly key: Uint8Array;
  readonly lease: bigint;
  readonly prevKv: boolean;
}

type Access = 'read' | 'write';
type UserPermissions = Readonly<Record<Access, IntervalUnion>>;

/**
 * Says why a request is refused to somebody, if it is; the same rules where a member takes a read and where an entry is applied. Only
 * asked while auth is on. What all roles of a user allow together is worked out once and kept until users or roles change.
 */
export class Permissions {
  private readonly records: AuthRecords;
  private readonly leases: LeaseKeys;
  private readonly cache = new Map<string, UserPermissions>();

  constructor(records: AuthRecords, leases: LeaseKeys) {
    this.records = records;
    this.leases = leases;
  }

  /** Users or roles are others now. */
  forget(): void {
    this.cache.clear();
  }

  checkRange(identity: Identity, key: Uint8Array, rangeEnd: Uint8Array): ErrorSymbol | undefined {
    return this.check(identity, 'read', key, rangeEnd);
  }

  /** A put may not hang its key on a lease that its user could not revoke. */
  checkPut(identity: Identity, put: PutAccess): ErrorSymbol | undefined {
    return (
      this.check(identity, 'write', put.key, emptyBytes) ??
      this.checkLeaseKeys(identity, put.lease, 'write') ??
      (put.prevKv ? this.check(identity, 'read', put.key, emptyBytes) : undefined)
    );
  }

  checkDeleteRange(identity: Identity, request: etcdserverpb.DeleteRangeRequest): ErrorSymbol | undefined {
    const { key, rangeEnd, prevKv } = request;
    return (
      this.check(identity, 'write', key, rangeEnd) ?? (prevKv ? this.check(identity, 'read', key, rangeEnd) : undefined)
    );
  }

  /** All compares and both branches, whichever will be taken, and so in transactions within it. */
  checkTxn(identity: Identity, request: etcdserverpb.TxnRequest): ErrorSymbol | undefined {
    for (const { key, rangeEnd } of request.compare) {
      const refused = this.checkRange(identity, key, rangeEnd);
      if (refused !== undefined) return refused;
    }
    return this.checkOperations(identity, request.success) ?? this.checkOperations(identity, request.failure);
  }

  private checkOperations(identity: Identity, operations: readonly etcdserverpb.RequestOp[]): ErrorSymbol | undefined {
    for (const operation of operations) {
      const refused = this.checkOperation(identity, operation);
      if (refused !== undefined) return refused;
    }
    return undefined;
  }

  private checkOperation(identity: Identity, operation: etcdserverpb.RequestOp): ErrorSymbol | undefined {
    const { requestRange, requestPut, requestDeleteRange, requestTxn } = operation;
    if (requestRange !== undefined) return this.checkRange(identity, requestRange.key, requestRange.rangeEnd);
    if (requestPut !== undefined) return this.checkPut(identity, requestPut);
    if (requestDeleteRange !== undefined) return this.checkDeleteRange(identity, requestDeleteRange);
    return requestTxn === undefined ? undefined : this.checkTxn(identity, requestTxn);
  }

  /** Whether somebody may do that to all keys of a lease. An administrator may, under any revision. */
  checkLeaseKeys(identity: Identity, lease: bigint, access: Access): ErrorSymbol | undefined {
    if (lease === 0n || this.checkAdmin(identity) === undefined) return undefined;
    for (const key of this.leases.keysOf(lease)) {
      const refused = this.check(identity, access, latin1ToBytes(key), emptyBytes);
      if (refused !== undefined) return refused;
    }
    return undefined;
  }

  /** Whether somebody may read all keys of all these leases. */
  checkKeysOfLeases(identity: Identity, leases: readonly bigint[]): ErrorSymbol | undefined {
    for (const lease of leases) {
      const refused = this.checkLeaseKeys(identity, lease, 'read');
      if (refused !== undefined) return refused;
    }
    return undefined;
  }

  checkAdmin(identity: Identity): ErrorSymbol | undefined {
    if (identity.username === '') return 'ErrGRPCUserEmpty';
    const user = this.records.user(identity.username);
    if (user === undefined) return 'ErrGRPCUserNotFound';
    return user.roles.includes(rootName) ? undefined : 'ErrGRPCPermissionDenied';
  }

  private check(identity: Identity, access: Access, key: Uint8Array, rangeEnd: Uint8Array): ErrorSymbol | undefined {
    const { username, authRevision } = identity;
    if (authRevision === 0) return 'ErrGRPCUserEmpty';
    if (authRevision < this.records.revision) return 'ErrGRPCAuthOldRevision';
    const user = this.records.user(username);
    if (user === undefined) return 'ErrGRPCPermissionDenied';
    if (user.roles.includes(rootName)) return undefined;
    return this.permissionsOf(username, user)[access].covers(key, rangeEnd) ? undefined : 'ErrGRPCPermissionDenied';
  }

  private permissionsOf(username: string, user: authpb.User): UserPermissions {
    let found = this.cache.get(username);
    if (found === undefined) {
      // A role that is gone gives nothing.
      const granted = user.roles.flatMap((name) => this.records.role(name)?.keyPermission ?? []);
      found = {
        read: new IntervalUnion(granted.filter((one) => gives(one.permType, PermissionType.READ))),
        write: new IntervalUnion(granted.filter((one) => gives(one.permType, PermissionType.WRITE))),
      };
      this.cache.set(username, found);
    }
    return found;
  }
}

function gives(granted: number, wanted: number): boolean {
  return granted === wanted || granted === PermissionType.READWRITE;
}
