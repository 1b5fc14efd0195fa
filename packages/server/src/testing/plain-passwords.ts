import type { PasswordHashing } from '../auth/passwords.ts';
import { Passwords } from '../auth/passwords.ts';
import { SimpleTokens } from '../auth/simple-tokens.ts';
import type { MemberDeps } from '../member/member-deps.ts';

/** Hashing that hides nothing and takes no time. */
export const plainHashing: PasswordHashing = {
  hash: async (password) => `plain ${password}`,
  hashNow: (password) => `plain ${password}`,
  compare: async (password, hash) => hash === `plain ${password}`,
  digest: (text) => text,
};

/** What a member in a test authenticates with. */
export function authDeps(deps: Pick<MemberDeps, 'clock' | 'random'>): Pick<MemberDeps, 'tokens' | 'passwords'> {
  return { tokens: new SimpleTokens(deps, 300_000), passwords: new Passwords(plainHashing) };
}
