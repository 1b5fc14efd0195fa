import { authpb, decodeBase64 } from '@quorate/api';
import { emptyBytes, utf8ToBytes } from '@quorate/base';
import { type AuthContext, type AuthHandlers, done } from './auth-handler.ts';
import { type AuthRecords, inByteOrder } from './auth-records.ts';
import { rootName } from './identity.ts';

/** Longest key that a bucket takes: a longer name could not be stored. */
export const nameBytesMax = 32_768;

/** The stored password: of a hash as it travels, or of the plain text that 3.4 sends. Undefined when it is neither. */
function readPassword(context: AuthContext, password: string, hashedPassword: string): Uint8Array | undefined {
  if (password !== '' && hashedPassword === '') return utf8ToBytes(context.hashPassword(password));
  return decodeBase64(hashedPassword);
}

/** Takes a role from a user. @returns false when the user does not have it. */
export function takeRole(records: AuthRecords, name: string, user: authpb.User, role: string): boolean {
  const roles = user.roles.filter((one) => one !== role);
  if (roles.length === user.roles.length) return false;
  records.putUser(name, { ...user, roles });
  return true;
}

export const userHandlers: AuthHandlers = {
  authUserAdd(context, { name, password, hashedPassword, options }) {
    const { records, logger } = context;
    if (name === '') return 'ErrGRPCUserEmpty';
    if (utf8ToBytes(name).length > nameBytesMax) return 'ErrGRPCRequestTooLarge';
    if (records.user(name) !== undefined) return 'ErrGRPCUserAlreadyExist';
    const stored = options?.noPassword ? emptyBytes : readPassword(context, password, hashedPassword);
    if (stored === undefined) return 'PasswordForNoPasswordUser';
    // etcd stores the options also when there are none.
    const user = { name: utf8ToBytes(name), password: stored, options: options ?? authpb.UserAddOptions.create() };
    records.putUser(name, authpb.User.create(user));
    records.nextRevision();
    logger.info('added a user', { 'user-name': name });
    return done;
  },

  authUserDelete({ records, tokens, logger }, { name }) {
    if (records.isEnabled && name === rootName) return 'ErrGRPCInvalidAuthMgmt';
    if (records.user(name) === undefined) return 'ErrGRPCUserNotFound';
    records.deleteUser(name);
    records.nextRevision();
    tokens.userInvalidated(name);
    logger.info('deleted a user', { 'user-name': name });
    return done;
  },

  authUserChangePassword(context, { name, password, hashedPassword }) {
    const { records, tokens, logger } = context;
    const user = records.user(name);
    if (user === undefined) return 'ErrGRPCUserNotFound';
    const stored = user.options?.noPassword ? emptyBytes : readPassword(context, password, hashedPassword);
    if (stored === undefined) return 'PasswordForNoPasswordUser';
    records.putUser(name, { ...user, password: stored });
    records.nextRevision();
    tokens.userInvalidated(name);
    logger.info('changed a password of a user', { 'user-name': name });
    return done;
  },

  authUserGrantRole({ records, logger }, { user: name, role }) {
    const user = records.user(name);
    if (user === undefined) return 'ErrGRPCUserNotFound';
    // Role root needs no record of its own.
    if (role !== rootName && records.role(role) === undefined) return 'ErrGRPCRoleNotFound';
    if (user.roles.includes(role)) return done;
    records.putUser(name, { ...user, roles: inByteOrder([...user.roles, role]) });
    records.nextRevision();
    logger.info('granted a role to a user', { 'user-name': name, 'added-role-name': role });
    return done;
  },

  authUserRevokeRole({ records, logger }, { name, role }) {
    if (records.isEnabled && name === rootName && role === rootName) return 'ErrGRPCInvalidAuthMgmt';
    const user = records.user(name);
    if (user === undefined) return 'ErrGRPCUserNotFound';
    if (!takeRole(records, name, user, role)) return 'ErrGRPCRoleNotGranted';
    records.nextRevision();
    logger.info('revoked a role from a user', { 'user-name': name, 'revoked-role-name': role });
    return done;
  },

  /** Users may ask about themselves. */
  authUserGet({ records, permissions }, { name }, { identity }) {
    const refused = records.isEnabled ? permissions.checkAdmin(identity) : undefined;
    if (refused !== undefined && name !== identity.username) return refused;
    const user = records.user(name);
    return user === undefined ? 'ErrGRPCUserNotFound' : { kind: 'auth-names', names: user.roles };
  },

  authUserList({ records }) {
    return { kind: 'auth-names', names: records.userNames() };
  },
};
