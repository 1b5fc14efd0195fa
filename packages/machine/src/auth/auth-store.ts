import type { ErrorSymbol, etcdserverpb } from '@quorate/api';
import { type Logger, silentLogger } from '@quorate/base';
import type { AuthAnswer, TokenSink } from './auth-handler.ts';
import { type AuthBackend, AuthRecords } from './auth-records.ts';
import { applyAuthRequest } from './auth-requests.ts';
import { type Identity, rootName } from './identity.ts';
import { type LeaseKeys, Permissions } from './permissions.ts';

export interface AuthStoreDeps {
  readonly backend: AuthBackend;
  readonly leases: LeaseKeys;
  readonly logger?: Logger;
  readonly tokens?: TokenSink;
  /** The bcrypt hash of a password that an entry of 3.4 holds in plain text. By default such a user can never authenticate. */
  readonly hashPassword?: (password: string) => string;
  /** Whether simple tokens are numbered as members before 3.5 do it: by their own entry, not the one before. By default they are not. */
  readonly countsOwnEntry?: () => boolean;
}

const noTokens: TokenSink = { granted() {}, userInvalidated() {}, allInvalidated() {} };

/** Who may do what: the part of authentication and authorization that is the same on all members. */
export class AuthStore {
  readonly records: AuthRecords;
  readonly permissions: Permissions;
  private readonly deps: AuthStoreDeps;

  constructor(deps: AuthStoreDeps) {
    this.deps = deps;
    this.records = new AuthRecords(deps.backend);
    this.permissions = new Permissions(this.records, deps.leases);
  }

  /** Goes on with what another backend holds (a leader's snapshot). Which tokens were ended meanwhile it does not say, so all are. */
  restore(backend: AuthBackend): void {
    this.records.restore(backend);
    this.permissions.forget();
    this.deps.tokens?.allInvalidated();
  }

  get isEnabled(): boolean {
    return this.records.isEnabled;
  }

  get revision(): number {
    return this.records.revision;
  }

  /** Who the member itself is: undefined while nobody needs to be anybody. */
  get rootIdentity(): Identity | undefined {
    return this.isEnabled ? { username: rootName, authRevision: this.revision } : undefined;
  }

  /** One of the auth requests of the log; undefined when it is none. */
  apply(
    request: etcdserverpb.InternalRaftRequest,
    identity: Identity,
    index: number,
  ): AuthAnswer | ErrorSymbol | undefined {
    const { logger = silentLogger, tokens = noTokens, hashPassword = () => '', countsOwnEntry } = this.deps;
    const { records, permissions } = this;
    return applyAuthRequest({ records, permissions, logger, tokens, hashPassword }, request, identity, () =>
      countsOwnEntry?.() ? index : index - 1,
    );
  }
}
