import type { Clock, Disk, Logger } from '@quorate/base';
import { NodeRandom } from '@quorate/base/node';
import type { Sha1 } from '@quorate/machine';
import { hasMemberData, layoutOf } from '@quorate/storage';
import type { MemberConfig } from '../config/config.ts';
import { clusterOfRecords, clusterOfRegistry } from '../discovery/discover-cluster.ts';
import { GrpcRegistry } from './grpc-registry.ts';
import { srvResolver } from './srv-resolver.ts';

interface World {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly logger: Logger;
}

/** Whether there is a member already. Only a first start looks for a cluster; one that has begun knows it. */
export function hasBegun(world: World, config: MemberConfig): Promise<boolean> {
  return hasMemberData(world, layoutOf(config.dataDir, config.walDir));
}

/** The configuration with the initial cluster of DNS, where it is to be found there. @throws CodedError config/start */
export async function findByRecords(world: World, config: MemberConfig): Promise<MemberConfig> {
  if (config.discovery.srvDomain === '' || (await hasBegun(world, config))) return config;
  return clusterOfRecords({ logger: world.logger, resolver: srvResolver }, config);
}

/** The same with a registry, for as long as it takes until all are there. @throws CodedError discovery/refused */
export async function findByRegistry(world: World, sha1: Sha1, config: MemberConfig): Promise<MemberConfig> {
  const { v3 } = config.discovery;
  if (v3.endpoints.length === 0 || (await hasBegun(world, config))) return config;
  const registry = new GrpcRegistry({ ...world, random: new NodeRandom() }, v3);
  try {
    return await clusterOfRegistry({ ...world, sha1, registry }, config);
  } finally {
    registry.close();
  }
}
