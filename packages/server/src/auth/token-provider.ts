import type { ErrorSymbol } from '@quorate/api';
import type { Identity, TokenSink } from '@quorate/machine';

/** Who authenticated, as the log says. */
export interface Granted {
  readonly username: string;
  readonly authRevision: number;
  /** The token that the entry itself makes, on all members alike. */
  readonly simpleToken: string;
}

/** A token, or why there is none. */
export type Issued = { readonly token: string } | { readonly refused: ErrorSymbol };

/** One way of making tokens and of knowing them again. */
export interface TokenProvider extends TokenSink {
  /** Travels in the entry that authenticates; drawn before it is proposed. */
  drawPrefix(): string;
  /** The token for who authenticated here. */
  issue(granted: Granted): Issued;
  /** The number of the entry before the one that made the token, or of that itself; 0 when no entry matters. */
  entryOf(token: string): number;
  /** Whose token it is, if it is valid; `authRevision` is the present one. */
  identify(token: string, authRevision: number): Identity | undefined;
}

/** Without any: nobody authenticates, no token is valid. */
export const noTokenProvider: TokenProvider = {
  drawPrefix: () => '',
  issue: () => ({ refused: 'ErrGRPCAuthFailed' }),
  entryOf: () => 0,
  identify: () => undefined,
  granted() {},
  userInvalidated() {},
  allInvalidated() {},
};
