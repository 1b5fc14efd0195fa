/** The release of etcd whose behaviour this server has; what clients and members are told. */
export const etcdVersion = '3.7.1';

/** Version of the cluster as it is stored: major and minor. */
export const clusterVersion = '3.7.0';

/** Quorate's own version. */
export const quorateVersion = '0.1.0';

/** A version as logs show that of a cluster: `3.7` of `3.7.0`. */
export function minorVersion(version: string): string {
  return version.replace(/^(\d+\.\d+)\..*$/, '$1');
}
