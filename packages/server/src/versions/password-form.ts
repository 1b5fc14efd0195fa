import { compareVersions } from '@quorate/machine';

/**
 * How passwords travel in the log. From 3.5 on as a hash; members before it know only the plain text, and take a hash for no password
 * at all. Unknown while not all members have told their version.
 */
export type PasswordForm = 'hashed' | 'plain' | 'unknown';

const firstWithHashes = '3.5.0';
/** What a cluster's version is while not all members have told theirs. */
const placeholderVersion = '3.0.0';

export function passwordFormOf(clusterVersion: string | undefined, isAlone: boolean): PasswordForm {
  if (isAlone) return 'hashed';
  if (clusterVersion === undefined || clusterVersion === placeholderVersion) return 'unknown';
  return compareVersions(clusterVersion, firstWithHashes) >= 0 ? 'hashed' : 'plain';
}
