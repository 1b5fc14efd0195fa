import { CodedError } from '@quorate/base';
import type { MemberConfig } from './config.ts';
import { UrlMatcher, type UrlMatcherDeps } from './url-match.ts';

function refuse(message: string): never {
  throw new CodedError('bootstrap/config', message);
}

/**
 * Checks what only the start of a new cluster needs: that this member is in the initial cluster with the URLs it advertises, and that no URL
 * stands for two.
 * @throws CodedError bootstrap/config with etcd's text
 */
export async function verifyNewCluster(deps: UrlMatcherDeps, config: MemberConfig): Promise<void> {
  const own = ownUrls(config);
  await verifyAdvertised(deps, config, own);
  verifyUnique(config);
}

/** Checks what joining needs; the URLs this member advertises were told to the cluster before. @throws CodedError bootstrap/config */
export function verifyJoin(config: MemberConfig): void {
  ownUrls(config);
  verifyUnique(config);
}

function ownUrls(config: MemberConfig): readonly string[] {
  const { name, initialCluster } = config;
  return (
    initialCluster.get(name) ??
    refuse(`couldn't find local name ${JSON.stringify(name)} in the initial cluster configuration`)
  );
}

function verifyUnique({ initialCluster }: MemberConfig): void {
  const urls = [...initialCluster.values()].flat();
  if (new Set(urls).size < urls.length) refuse(`initial cluster ${describe(initialCluster)} has duplicate url`);
}

async function verifyAdvertised(deps: UrlMatcherDeps, config: MemberConfig, own: readonly string[]): Promise<void> {
  const { name } = config;
  const advertised = config.advertisePeerUrls.map((url) => url.href);
  const match = await new UrlMatcher(deps).match(advertised, own);
  if (match.isEqual) return;
  const list = [...advertised].sort().join(',');
  const missing = own.filter((url) => !advertised.includes(url)).map((url) => `${name}=${url}`);
  if (missing.length > 0) {
    const what = missing.join(',');
    refuse(`--initial-cluster has ${what} but missing from --initial-advertise-peer-urls=${list} (${match.detail})`);
  }
  // What etcd calls the initial cluster here are the advertised URLs under this member's name.
  const shown = describe(new Map([[name, advertised]]));
  const extra = advertised.filter((url) => !own.includes(url));
  if (extra.length > 0) {
    refuse(`--initial-advertise-peer-urls has ${extra.join(',')} but missing from --initial-cluster=${shown}`);
  }
  refuse(`failed to resolve ${list} to match --initial-cluster=${shown} (${match.detail})`);
}

/** The initial cluster as flag and messages have it: sorted. */
function describe(members: ReadonlyMap<string, readonly string[]>): string {
  return [...members]
    .flatMap(([name, urls]) => urls.map((url) => `${name}=${url}`))
    .sort()
    .join(',');
}
