import { type AuthHandlers, done } from './auth-handler.ts';
import { rootName } from './identity.ts';

/** Switching auth on and off, asking whether it is on, and tokens. */
export const switchHandlers: AuthHandlers = {
  /** Does not count as a change of users and roles. */
  authEnable({ records, logger }) {
    if (records.isEnabled) return done;
    const root = records.user(rootName);
    if (root === undefined) return 'ErrGRPCRootUserNotExist';
    if (!root.roles.includes(rootName)) return 'ErrGRPCRootRoleNotExist';
    records.setEnabled(true);
    logger.info('enabled authentication');
    return done;
  },

  authDisable({ records, tokens, logger }) {
    if (!records.isEnabled) return done;
    records.setEnabled(false);
    records.nextRevision();
    tokens.allInvalidated();
    logger.info('disabled authentication');
    return done;
  },

  authStatus({ records }) {
    return { kind: 'auth-status', isEnabled: records.isEnabled, authRevision: records.revision };
  },

  /** The password was checked by the member that was called, which asks again when users changed meanwhile. */
  authenticate({ records, tokens }, { name, simpleToken }, { tokenNumber }) {
    if (!records.isEnabled) return 'ErrGRPCAuthNotEnabled';
    const user = records.user(name);
    if (user === undefined || user.options?.noPassword) return 'ErrGRPCAuthFailed';
    const token = `${simpleToken}.${tokenNumber()}`;
    tokens.granted(name, token);
    return { kind: 'authenticated', username: name, authRevision: records.revision, simpleToken: token };
  },
};
