import { compareVersions, type Member } from '@quorate/machine';
import type { VersionTable } from './member-versions.ts';

/**
 * The form of entries about members and the cluster's version. `v2` is a request of the old store: 3.4 knows nothing else and 3.7 stops at
 * it. `v3` is an InternalRaftRequest like any other: from 3.5 on.
 */
export type EntryForm = 'v2' | 'v3';

/** The first release that knows the new form. 3.7, the first without the old one, is never in a cluster with one that needs it. */
const firstWithV3 = '3.5.0';
/** What a cluster's version is while not all members have told theirs. */
const placeholderVersion = '3.0.0';

/**
 * The form that every member understands; undefined while too little is known.
 * @param versions of the other members; undefined when they were not asked.
 */
export function chooseForm(
  clusterVersion: string | undefined,
  others: readonly Member[],
  versions: VersionTable | undefined,
): EntryForm | undefined {
  // A member that is older than its cluster stops, so none is.
  if (clusterVersion !== undefined && compareVersions(clusterVersion, firstWithV3) >= 0) return 'v3';
  if (others.length === 0) return 'v3';
  if (versions === undefined) return undefined;
  let isUnknown = false;
  for (const { id } of others) {
    const server = versions.get(id)?.server;
    if (server === undefined) isUnknown = true;
    else if (compareVersions(server, firstWithV3) < 0) return 'v2';
  }
  if (!isUnknown) return 'v3';
  // Somebody does not answer, who may be the one for whose sake the cluster has stayed at that version.
  return clusterVersion === undefined || clusterVersion === placeholderVersion ? undefined : 'v2';
}
