import { CodedError } from '@quorate/base';
import { compareVersions } from '@quorate/machine';
import { clusterVersion } from '../version.ts';

/** A release must not take part in what later ones have agreed on. @throws CodedError member/version-too-high */
export function checkClusterVersion(version: string | undefined): void {
  if (version === undefined || compareVersions(version, clusterVersion) <= 0) return;
  throw new CodedError(
    'member/version-too-high',
    `invalid downgrade; server version is lower than determined cluster version: ${clusterVersion} is lower than ${version}`,
  );
}
