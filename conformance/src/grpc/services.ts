import { join } from 'node:path';
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { repositoryDir } from '../support/programs.ts';

/** A request or response as proto-loader makes it: field names of the .proto files, 64-bit numbers as text, enums as numbers. */
export interface Message {
  readonly [field: string]: unknown;
}

export type Method = MethodDefinition<Message, Message>;

const SERVICES: Readonly<Record<string, string>> = {
  KV: 'etcdserverpb.KV',
  Watch: 'etcdserverpb.Watch',
  Lease: 'etcdserverpb.Lease',
  Cluster: 'etcdserverpb.Cluster',
  Maintenance: 'etcdserverpb.Maintenance',
  Auth: 'etcdserverpb.Auth',
  Lock: 'v3lockpb.Lock',
  Election: 'v3electionpb.Election',
  Health: 'grpc.health.v1.Health',
};

function loadDefinitions(): PackageDefinition {
  const root = join(repositoryDir, 'packages', 'api', 'proto');
  return loadSync(
    ['etcdserverpb/rpc.proto', 'v3lockpb/v3lock.proto', 'v3electionpb/v3election.proto', 'grpc/health/v1/health.proto'],
    { includeDirs: [root], keepCase: true, longs: String, defaults: true, oneofs: true, bytes: Buffer },
  );
}

/** The methods of all services, by `Service.Method`. */
export function loadMethods(): ReadonlyMap<string, Method> {
  const definitions = loadDefinitions();
  const methods = new Map<string, Method>();
  for (const [short, full] of Object.entries(SERVICES)) {
    const service = definitions[full];
    if (service === undefined || 'format' in service) throw new Error(`${full} is not in packages/api/proto`);
    for (const [name, method] of Object.entries(service)) {
      methods.set(`${short}.${name}`, method as unknown as Method);
    }
  }
  return methods;
}
