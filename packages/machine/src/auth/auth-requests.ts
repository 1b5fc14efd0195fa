import type { ErrorSymbol, etcdserverpb } from '@quorate/api';
import type { AuthAnswer, AuthContext, AuthHandler, AuthHandlers } from './auth-handler.ts';
import type { Identity } from './identity.ts';
import { roleHandlers } from './role-requests.ts';
import { switchHandlers } from './switch-requests.ts';
import { userHandlers } from './user-requests.ts';

const handlers: AuthHandlers = { ...switchHandlers, ...userHandlers, ...roleHandlers };
const names = Object.keys(handlers) as (keyof AuthHandlers)[];
/** Asked of themselves, or before there is anybody to ask. */
const openToAll: ReadonlySet<string> = new Set(['authenticate', 'authStatus', 'authUserGet', 'authRoleGet']);

/**
 * Applies one of the auth requests of the log.
 * @param tokenNumber what stands behind the dot in a simple token.
 * @returns undefined when it is none.
 */
export function applyAuthRequest(
  context: AuthContext,
  request: etcdserverpb.InternalRaftRequest,
  identity: Identity,
  tokenNumber: () => number,
): AuthAnswer | ErrorSymbol | undefined {
  const name = names.find((one) => request[one] !== undefined);
  if (name === undefined) return undefined;
  if (context.records.isEnabled && !openToAll.has(name)) {
    const refused = context.permissions.checkAdmin(identity);
    if (refused !== undefined) return refused;
  }
  const before = context.records.revision;
  const handler = handlers[name] as AuthHandler<unknown>;
  const answer = handler(context, request[name], { identity, tokenNumber });
  if (context.records.revision !== before) context.permissions.forget();
  return answer;
}
