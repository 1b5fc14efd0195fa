import type { ErrorSymbol } from '@quorate/api';
import { copyBytes, type Logger } from '@quorate/base';
import { type AuthStore, type Identity, nobody } from '@quorate/machine';
import type { Call } from '@quorate/transport';
import type { TokenProvider } from '../auth/token-provider.ts';
import { failCall } from './answers.ts';
import type { ProposalOutcome, Proposals } from './proposals.ts';

export interface AccessDeps {
  readonly auth: AuthStore;
  readonly tokens: TokenProvider;
  readonly proposals: Proposals;
  readonly appliedIndex: () => number;
  /** The last entry known to be committed. */
  readonly committedIndex: () => number;
  readonly logger: Logger;
  /** Under which a token is named in the log. */
  readonly fingerprint: (token: string) => string;
}

export interface AccessOptions {
  /** A client without a token is who its certificate says. */
  readonly clientCertAuth: boolean;
}

/** Whether the users and roles under which something was permitted have changed since. */
export type Recheck = () => ErrorSymbol | undefined;

type Check = (identity: Identity) => ErrorSymbol | undefined;

interface Waiting {
  readonly index: number;
  readonly call: Call;
  readonly goOn: () => void;
}

/** Calls whose token is of an entry not applied yet; more are told that it is invalid. */
const waitingMax = 10_000;
const bearer = 'Bearer ';

/** Who calls, and whether they may: the checks of a member's services. While auth is off all of it is one look at {@link isOn}. */
export class Access {
  private readonly deps: AccessDeps;
  private readonly options: AccessOptions;
  private readonly waiting = new Set<Waiting>();

  constructor(deps: AccessDeps, options: AccessOptions) {
    this.deps = deps;
    this.options = options;
  }

  get isOn(): boolean {
    return this.deps.auth.isEnabled;
  }

  /** Proposes a request of the caller, if `check` has nothing against it. `request` is copied before this returns. */
  propose(call: Call, field: number, request: Uint8Array, outcome: ProposalOutcome, check: Check = anybody): void {
    const { proposals } = this.deps;
    if (!this.isOn) {
      proposals.propose(field, request, outcome);
      return;
    }
    const owned = copyBytes(request);
    this.identify(call, (identity) => {
      const refused = check(identity);
      if (refused === undefined) proposals.propose(field, owned, outcome, identity);
      else failCall(call, refused);
    });
  }

  /** Serves the call if the caller is somebody. */
  asUser(call: Call, serve: () => void): void {
    this.admit(call, this.checkUser, serve);
  }

  /** Serves the call if the caller is an administrator. */
  asAdmin(call: Call, serve: () => void): void {
    this.admit(call, this.checkAdmin, serve);
  }

  /**
   * Serves the call if `check` has nothing against it, at once or, when its token is of an entry that is not applied yet, later; fails it
   * otherwise. What reads on in later turns asks `recheck` before it answers.
   */
  admit(call: Call, check: Check, serve: (recheck?: Recheck) => void): void {
    if (!this.isOn) {
      serve();
      return;
    }
    this.identify(call, (identity) => {
      const refused = check(identity);
      if (refused !== undefined) failCall(call, refused);
      else {
        const { revision } = this.deps.auth;
        serve(() => (this.isOn && this.deps.auth.revision !== revision ? 'ErrGRPCAuthOldRevision' : undefined));
      }
    });
  }

  /** What any known caller may. */
  readonly checkUser: Check = (identity) => (identity === nobody ? 'ErrGRPCUserEmpty' : undefined);

  readonly checkAdmin: Check = (identity) => this.deps.auth.permissions.checkAdmin(identity);

  /** The rules, for {@link admit}. */
  get permissions(): AuthStore['permissions'] {
    return this.deps.auth.permissions;
  }

  /** Why the bearer of a token, sent on by another member, is no administrator here. */
  refuseAdmin(token: string | undefined): ErrorSymbol | undefined {
    if (!this.isOn) return undefined;
    if (token === undefined) return this.checkAdmin(nobody);
    const identity = this.identityOf(withoutBearer(token));
    return identity === undefined ? 'ErrGRPCInvalidAuthToken' : this.checkAdmin(identity);
  }

  /** Why the caller may not, as of now; whoever {@link waits} asks later. */
  refusal(call: Call, check: Check): ErrorSymbol | undefined {
    if (!this.isOn) return undefined;
    const identity = this.caller(call);
    return typeof identity === 'string' ? identity : check(identity);
  }

  /** The caller's name as far as it is known by now, empty otherwise: for records, not for decisions. */
  userOf(call: Call): string {
    const { tokens, auth } = this.deps;
    const token = tokenOf(call);
    const identity = token === undefined ? this.certified(call) : tokens.identify(token, auth.revision);
    return identity?.username ?? '';
  }

  private caller(call: Call): Identity | 'ErrGRPCInvalidAuthToken' {
    const token = tokenOf(call);
    if (token === undefined) return this.certified(call);
    return this.identityOf(token) ?? 'ErrGRPCInvalidAuthToken';
  }

  /** Runs `goOn` when the entry that made the call's token is applied here; @returns false when that is so already. */
  waits(call: Call, goOn: () => void): boolean {
    const token = this.isOn ? tokenOf(call) : undefined;
    if (token === undefined) return false;
    const { tokens, appliedIndex, committedIndex } = this.deps;
    const number = tokens.entryOf(token);
    // A token carries the number of the entry before its own, which there may not be.
    const index = number < committedIndex() ? number + 1 : number;
    if (index <= appliedIndex()) return false;
    if (this.waiting.size >= waitingMax) this.forgetCancelled();
    if (this.waiting.size >= waitingMax) return false;
    this.waiting.add({ index, call, goOn });
    return true;
  }

  private forgetCancelled(): void {
    for (const waiting of this.waiting) if (waiting.call.cancelled) this.waiting.delete(waiting);
  }

  /** Entries were applied. */
  applied(): void {
    if (this.waiting.size === 0) return;
    const appliedIndex = this.deps.appliedIndex();
    for (const waiting of [...this.waiting].filter(({ index }) => index <= appliedIndex)) {
      this.waiting.delete(waiting);
      if (!waiting.call.cancelled) waiting.goOn();
    }
  }

  private identify(call: Call, then: (identity: Identity) => void): void {
    if (this.waits(call, () => this.identify(call, then))) return;
    const identity = this.caller(call);
    if (typeof identity === 'string') failCall(call, identity);
    else then(identity);
  }

  private identityOf(token: string): Identity | undefined {
    const { auth, tokens, logger, fingerprint } = this.deps;
    const identity = tokens.identify(token, auth.revision);
    if (identity === undefined) logger.warn('invalid auth token', { 'token-fingerprint': fingerprint(token) });
    return identity;
  }

  /** Who the client's certificate says that it is. The gateway's own certificate would speak for all its clients. */
  private certified(call: Call): Identity {
    const { certificate } = call.peer;
    if (!this.options.clientCertAuth || certificate === null || !certificate.verified) return nobody;
    if (call.metadata.get('grpcgateway-accept') !== undefined) {
      this.deps.logger.warn('ignoring common name in gRPC-gateway proxy request', {
        'common-name': certificate.commonName,
      });
      return nobody;
    }
    return { username: certificate.commonName, authRevision: this.deps.auth.revision };
  }
}

/** Whoever applies the entry judges. */
const anybody: Check = () => undefined;

/** The token that a call brings; it may be empty. */
export function tokenOf(call: Call): string | undefined {
  const token = call.metadata.get('token') ?? call.metadata.get('authorization');
  return token === undefined ? undefined : withoutBearer(token);
}

function withoutBearer(token: string): string {
  return token.startsWith(bearer) ? token.slice(bearer.length) : token;
}
