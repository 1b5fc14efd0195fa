import type { authpb, ErrorSymbol, etcdserverpb } from '@quorate/api';
import type { Logger } from '@quorate/base';
import type { AuthRecords } from './auth-records.ts';
import type { Identity } from './identity.ts';
import type { Permissions } from './permissions.ts';

/** Hears which tokens the log makes and ends. */
export interface TokenSink {
  /** A user authenticated; `token` is the simple token that the entry makes. */
  granted(username: string, token: string): void;
  /** Tokens of that user are void. */
  userInvalidated(username: string): void;
  /** All tokens are void. */
  allInvalidated(): void;
}

/** What an auth request that was not refused gives back. */
export type AuthAnswer =
  | { readonly kind: 'auth-done' }
  | { readonly kind: 'auth-status'; readonly isEnabled: boolean; readonly authRevision: number }
  /** Users, roles, or the roles of a user. */
  | { readonly kind: 'auth-names'; readonly names: readonly string[] }
  | { readonly kind: 'auth-permissions'; readonly permissions: readonly authpb.Permission[] }
  | {
      readonly kind: 'authenticated';
      readonly username: string;
      readonly authRevision: number;
      readonly simpleToken: string;
    };

/** What handlers of auth requests work with. */
export interface AuthContext {
  readonly records: AuthRecords;
  readonly permissions: Permissions;
  readonly logger: Logger;
  readonly tokens: TokenSink;
  readonly hashPassword: (password: string) => string;
}

/** A handler a request that has been let pass. */
export type AuthHandler<Request> = (
  context: AuthContext,
  request: Request,
  call: { readonly identity: Identity; readonly tokenNumber: () => number },
) => AuthAnswer | ErrorSymbol;

type Requests = etcdserverpb.InternalRaftRequest;
export type AuthHandlers = { readonly [Name in keyof Requests]?: AuthHandler<NonNullable<Requests[Name]>> };

export const done: AuthAnswer = { kind: 'auth-done' };
