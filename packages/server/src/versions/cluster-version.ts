import { compareVersions, type DowngradeInfo, parseVersion } from '@quorate/machine';
import type { VersionTable } from './member-versions.ts';

/** What the version of a cluster is to become: undefined to leave it; or why it cannot follow a downgrade. */
export type VersionDecision = string | undefined | { readonly problem: string };

/** Of a cluster some of whose members have not told theirs. */
const unknownVersion = '3.0.0';

/**
 * The rules by which the leader sets the cluster's version: to that of the oldest member, and never above it. It is raised only when every
 * member has answered, and lowered only by an enabled downgrade, by one minor version.
 * @param versions of all members.
 */
export function decideClusterVersion(
  current: string | undefined,
  versions: VersionTable,
  downgrade: DowngradeInfo,
): VersionDecision {
  const oldest = oldestServer(versions);
  if (current === undefined) return oldest ?? unknownVersion;
  if (oldest === undefined) return undefined;
  if (downgrade.isEnabled) {
    const target = minorOf(downgrade.targetVersion);
    if (target === current) return undefined;
    if (oneBelow(current) !== target)
      return { problem: `cannot downgrade from cluster version ${current} to ${target}` };
    if (oneBelow(oldest) !== target) return { problem: `cannot downgrade from server version ${oldest} to ${target}` };
    return target;
  }
  const isSameMajor = parseVersion(oldest)?.[0] === parseVersion(current)?.[0];
  return isSameMajor && compareVersions(oldest, current) > 0 ? oldest : undefined;
}

/** Whether every member runs that version, down to the minor. */
export function allRun(versions: VersionTable, target: string): boolean {
  return [...versions.values()].every(
    (version) => version !== undefined && minorOf(version.server) === minorOf(target),
  );
}

/** As `3.6.0`; undefined when a member has not told its version. */
function oldestServer(versions: VersionTable): string | undefined {
  let oldest: string | undefined;
  for (const version of versions.values()) {
    const server = version === undefined ? undefined : minorOf(version.server);
    if (server === undefined) return undefined;
    if (oldest === undefined || compareVersions(server, oldest) < 0) oldest = server;
  }
  return oldest;
}

/** Major and minor, as a cluster's version is written; undefined when it is no version. */
export function minorOf(version: string): string | undefined {
  const parsed = parseVersion(version);
  return parsed === undefined ? undefined : `${parsed[0]}.${parsed[1]}.0`;
}

/** The minor version before; undefined of what is no version. */
export function oneBelow(version: string): string | undefined {
  const parsed = parseVersion(version);
  return parsed === undefined ? undefined : `${parsed[0]}.${parsed[1] - 1}.0`;
}
