import { hexFromBytes, utf8ToBytes } from '@quorate/base';
import { type ApplyResult, AuthStore, type Cluster, type Lessor } from '@quorate/machine';
import type { Backend } from '@quorate/storage';
import type { MemberConfig } from '../config/config.ts';
import type { Replica } from '../replica/replica.ts';
import { Access } from '../rpc/access.ts';
import { passwordFormOf } from '../versions/password-form.ts';
import type { MemberDeps } from './member-deps.ts';

/** Users and roles as the log makes them. */
export function openAuth(deps: MemberDeps, cluster: Cluster, leases: Lessor, backend: Backend): AuthStore {
  const { logger, tokens, passwords } = deps;
  return new AuthStore({
    ...{ backend, leases, logger, tokens },
    hashPassword: (password) => passwords.hashNow(password),
    countsOwnEntry: () => passwordFormOf(cluster.version, false) === 'plain',
  });
}

/** What the services of the member ask. */
export function openAccess(
  deps: MemberDeps,
  config: MemberConfig,
  auth: AuthStore,
  replica: Replica<ApplyResult>,
  appliedIndex: () => number,
): Access {
  const committedIndex = () => replica.committedIndex;
  const fingerprint = (token: string) => {
    const digest = deps.sha256();
    digest.update(utf8ToBytes(token));
    return hexFromBytes(digest.finish()).slice(0, 12);
  };
  const { tokens, logger } = deps;
  return new Access(
    { auth, tokens, logger, proposals: replica, appliedIndex, committedIndex, fingerprint },
    { clientCertAuth: config.clientTls.clientCertAuth },
  );
}
