import { authpb } from '@quorate/api';
import { compareBytes, copyBytes, equalBytes, latin1ToBytes, utf8ToBytes } from '@quorate/base';
import { type AuthHandlers, done } from './auth-handler.ts';
import { rootName } from './identity.ts';
import { isOpen } from './interval-union.ts';
import { nameBytesMax, takeRole } from './user-requests.ts';

type Permission = authpb.Permission;

/** What role root is shown with, whatever was granted to it: everything. */
const rootPermission: Permission = authpb.Permission.create({
  permType: authpb.PermissionType.READWRITE,
  rangeEnd: latin1ToBytes('\0'),
});

function isGrantable({ key, rangeEnd }: Permission): boolean {
  return key.length > 0 && (rangeEnd.length === 0 || isOpen(rangeEnd) || compareBytes(key, rangeEnd) < 0);
}

function isSameRange(a: { key: Uint8Array; rangeEnd: Uint8Array }, b: { key: Uint8Array; rangeEnd: Uint8Array }) {
  return equalBytes(a.key, b.key) && equalBytes(a.rangeEnd, b.rangeEnd);
}

/**
 * Permissions of a role with one more, ascending by key. As in etcd only the first one at that key is looked at for the same range, so
 * that of several with one key another can come to be there twice: what members keep must be the same. (From thirteen permissions on etcd's order
 * of those with one key is that of its sort, which is not stable and differs between releases: it is not followed.)
 */
function withPermission(permissions: readonly Permission[], granted: Permission): Permission[] {
  const first = permissions.findIndex(({ key }) => compareBytes(key, granted.key) >= 0);
  const at = first < 0 ? permissions.length : first;
  const found = permissions[at];
  if (found !== undefined && isSameRange(found, granted)) {
    return permissions.map((one) => (one === found ? { ...one, permType: granted.permType } : one));
  }
  const behind = permissions.findIndex(({ key }) => compareBytes(key, granted.key) > 0);
  const end = behind < 0 ? permissions.length : behind;
  const { permType, key, rangeEnd } = granted;
  const added = authpb.Permission.create({ permType, key: copyBytes(key), rangeEnd: copyBytes(rangeEnd) });
  return [...permissions.slice(0, end), added, ...permissions.slice(end)];
}

export const roleHandlers: AuthHandlers = {
  authRoleAdd({ records, logger }, { name }) {
    if (name === '') return 'ErrGRPCRoleEmpty';
    const bytes = utf8ToBytes(name);
    if (bytes.length > nameBytesMax) return 'ErrGRPCRequestTooLarge';
    if (records.role(name) !== undefined) return 'ErrGRPCRoleAlreadyExist';
    records.putRole(name, authpb.Role.create({ name: bytes }));
    records.nextRevision();
    logger.info('created a role', { 'role-name': name });
    return done;
  },

  authRoleDelete({ records, logger }, { role }) {
    if (records.isEnabled && role === rootName) return 'ErrGRPCInvalidAuthMgmt';
    if (records.role(role) === undefined) return 'ErrGRPCRoleNotFound';
    records.deleteRole(role);
    for (const [name, user] of records.users()) takeRole(records, name, user, role);
    records.nextRevision();
    logger.info('deleted a role', { 'role-name': role });
    return done;
  },

  authRoleGrantPermission({ records, logger }, { name, perm }) {
    if (perm === undefined) return 'ErrGRPCPermissionNotGiven';
    if (!isGrantable(perm)) return 'ErrGRPCInvalidAuthMgmt';
    const role = records.role(name);
    if (role === undefined) return 'ErrGRPCRoleNotFound';
    records.putRole(name, { ...role, keyPermission: withPermission(role.keyPermission, perm) });
    records.nextRevision();
    logger.info('granted/updated a permission to a user', { 'user-name': name });
    return done;
  },

  authRoleRevokePermission({ records, logger }, { role: name, key, rangeEnd }) {
    const role = records.role(name);
    if (role === undefined) return 'ErrGRPCRoleNotFound';
    const keyPermission = role.keyPermission.filter((one) => !isSameRange(one, { key, rangeEnd }));
    if (keyPermission.length === role.keyPermission.length) return 'ErrGRPCPermissionNotGranted';
    records.putRole(name, { ...role, keyPermission });
    records.nextRevision();
    logger.info('revoked a permission on range', { 'role-name': name });
    return done;
  },

  /** Users may ask about roles they have. */
  authRoleGet({ records, permissions }, { role: name }, { identity }) {
    const refused = records.isEnabled ? permissions.checkAdmin(identity) : undefined;
    const isHeld = records.user(identity.username)?.roles.includes(name) === true;
    if (refused !== undefined && !isHeld) return refused;
    const role = records.role(name);
    if (role === undefined) return 'ErrGRPCRoleNotFound';
    return { kind: 'auth-permissions', permissions: name === rootName ? [rootPermission] : role.keyPermission };
  },

  authRoleList({ records }) {
    return { kind: 'auth-names', names: records.roleNames() };
  },
};
