import type { MessageCodec } from './codec.ts';
import * as etcdserverpb from './generated/etcdserverpb.ts';
import * as healthpb from './generated/healthpb.ts';
import * as v3electionpb from './generated/v3electionpb.ts';
import * as v3lockpb from './generated/v3lockpb.ts';

/** A route of the JSON gateway: the whole request message is the body. */
export interface HttpRoute {
  readonly verb: 'POST';
  readonly path: string;
}

export interface Method<Request, Response> {
  readonly name: string;
  /** Full name of its service, as `etcdserverpb.KV`. */
  readonly service: string;
  /** gRPC path, as `/etcdserverpb.KV/Put`. */
  readonly path: string;
  readonly request: MessageCodec<Request>;
  readonly response: MessageCodec<Response>;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
  /** Empty when the method is not served over HTTP. The first is the usual one. */
  readonly http: readonly HttpRoute[];
}

/** What every method is assignable to. */
export type AnyMethod = Method<object, object>;

export interface Service<Methods> {
  readonly name: string;
  readonly methods: Methods;
}

/** A method before its service gives it a name. */
type Draft<Request, Response> = Omit<Method<Request, Response>, 'name' | 'service' | 'path'>;
type Named<Drafts> = {
  readonly [Name in keyof Drafts]: Drafts[Name] extends Draft<infer Request, infer Response>
    ? Method<Request, Response>
    : never;
};

function draft<Q, A>(
  request: MessageCodec<Q>,
  response: MessageCodec<A>,
  paths: string[],
  streams: 0 | 1 | 2,
): Draft<Q, A> {
  const http = paths.map((path) => ({ verb: 'POST', path }) as const);
  return { request, response, clientStreaming: streams === 2, serverStreaming: streams >= 1, http };
}

function unary<Q, A>(request: MessageCodec<Q>, response: MessageCodec<A>, ...paths: string[]): Draft<Q, A> {
  return draft(request, response, paths, 0);
}

function serverStream<Q, A>(request: MessageCodec<Q>, response: MessageCodec<A>, ...paths: string[]): Draft<Q, A> {
  return draft(request, response, paths, 1);
}

function duplex<Q, A>(request: MessageCodec<Q>, response: MessageCodec<A>, ...paths: string[]): Draft<Q, A> {
  return draft(request, response, paths, 2);
}

function service<Drafts extends Record<string, Draft<object, object>>>(
  serviceName: string,
  drafts: Drafts,
): Service<Named<Drafts>> {
  const methods: Record<string, unknown> = {};
  for (const [name, rest] of Object.entries(drafts)) {
    methods[name] = { name, service: serviceName, path: `/${serviceName}/${name}`, ...rest };
  }
  return { name: serviceName, methods: methods as Named<Drafts> };
}

/** Every service on the client port, with the routes of the JSON gateway. */
export const services = {
  KV: service('etcdserverpb.KV', {
    Range: unary(etcdserverpb.RangeRequest, etcdserverpb.RangeResponse, '/v3/kv/range'),
    RangeStream: serverStream(etcdserverpb.RangeRequest, etcdserverpb.RangeStreamResponse),
    Put: unary(etcdserverpb.PutRequest, etcdserverpb.PutResponse, '/v3/kv/put'),
    DeleteRange: unary(etcdserverpb.DeleteRangeRequest, etcdserverpb.DeleteRangeResponse, '/v3/kv/deleterange'),
    Txn: unary(etcdserverpb.TxnRequest, etcdserverpb.TxnResponse, '/v3/kv/txn'),
    Compact: unary(etcdserverpb.CompactionRequest, etcdserverpb.CompactionResponse, '/v3/kv/compaction'),
  }),

  Watch: service('etcdserverpb.Watch', {
    Watch: duplex(etcdserverpb.WatchRequest, etcdserverpb.WatchResponse, '/v3/watch'),
  }),

  Lease: service('etcdserverpb.Lease', {
    LeaseGrant: unary(etcdserverpb.LeaseGrantRequest, etcdserverpb.LeaseGrantResponse, '/v3/lease/grant'),
    LeaseRevoke: unary(
      etcdserverpb.LeaseRevokeRequest,
      etcdserverpb.LeaseRevokeResponse,
      '/v3/lease/revoke',
      '/v3/kv/lease/revoke',
    ),
    LeaseKeepAlive: duplex(
      etcdserverpb.LeaseKeepAliveRequest,
      etcdserverpb.LeaseKeepAliveResponse,
      '/v3/lease/keepalive',
    ),
    LeaseTimeToLive: unary(
      etcdserverpb.LeaseTimeToLiveRequest,
      etcdserverpb.LeaseTimeToLiveResponse,
      '/v3/lease/timetolive',
      '/v3/kv/lease/timetolive',
    ),
    LeaseLeases: unary(
      etcdserverpb.LeaseLeasesRequest,
      etcdserverpb.LeaseLeasesResponse,
      '/v3/lease/leases',
      '/v3/kv/lease/leases',
    ),
  }),

  Cluster: service('etcdserverpb.Cluster', {
    MemberAdd: unary(etcdserverpb.MemberAddRequest, etcdserverpb.MemberAddResponse, '/v3/cluster/member/add'),
    MemberRemove: unary(
      etcdserverpb.MemberRemoveRequest,
      etcdserverpb.MemberRemoveResponse,
      '/v3/cluster/member/remove',
    ),
    MemberUpdate: unary(
      etcdserverpb.MemberUpdateRequest,
      etcdserverpb.MemberUpdateResponse,
      '/v3/cluster/member/update',
    ),
    MemberList: unary(etcdserverpb.MemberListRequest, etcdserverpb.MemberListResponse, '/v3/cluster/member/list'),
    MemberPromote: unary(
      etcdserverpb.MemberPromoteRequest,
      etcdserverpb.MemberPromoteResponse,
      '/v3/cluster/member/promote',
    ),
  }),

  Maintenance: service('etcdserverpb.Maintenance', {
    Alarm: unary(etcdserverpb.AlarmRequest, etcdserverpb.AlarmResponse, '/v3/maintenance/alarm'),
    Status: unary(etcdserverpb.StatusRequest, etcdserverpb.StatusResponse, '/v3/maintenance/status'),
    Defragment: unary(etcdserverpb.DefragmentRequest, etcdserverpb.DefragmentResponse, '/v3/maintenance/defragment'),
    Hash: unary(etcdserverpb.HashRequest, etcdserverpb.HashResponse, '/v3/maintenance/hash'),
    HashKV: unary(etcdserverpb.HashKVRequest, etcdserverpb.HashKVResponse, '/v3/maintenance/hashkv'),
    Snapshot: serverStream(etcdserverpb.SnapshotRequest, etcdserverpb.SnapshotResponse, '/v3/maintenance/snapshot'),
    MoveLeader: unary(
      etcdserverpb.MoveLeaderRequest,
      etcdserverpb.MoveLeaderResponse,
      '/v3/maintenance/transfer-leadership',
    ),
    Downgrade: unary(etcdserverpb.DowngradeRequest, etcdserverpb.DowngradeResponse, '/v3/maintenance/downgrade'),
  }),

  Auth: service('etcdserverpb.Auth', {
    AuthEnable: unary(etcdserverpb.AuthEnableRequest, etcdserverpb.AuthEnableResponse, '/v3/auth/enable'),
    AuthDisable: unary(etcdserverpb.AuthDisableRequest, etcdserverpb.AuthDisableResponse, '/v3/auth/disable'),
    AuthStatus: unary(etcdserverpb.AuthStatusRequest, etcdserverpb.AuthStatusResponse, '/v3/auth/status'),
    Authenticate: unary(etcdserverpb.AuthenticateRequest, etcdserverpb.AuthenticateResponse, '/v3/auth/authenticate'),
    UserAdd: unary(etcdserverpb.AuthUserAddRequest, etcdserverpb.AuthUserAddResponse, '/v3/auth/user/add'),
    UserGet: unary(etcdserverpb.AuthUserGetRequest, etcdserverpb.AuthUserGetResponse, '/v3/auth/user/get'),
    UserList: unary(etcdserverpb.AuthUserListRequest, etcdserverpb.AuthUserListResponse, '/v3/auth/user/list'),
    UserDelete: unary(etcdserverpb.AuthUserDeleteRequest, etcdserverpb.AuthUserDeleteResponse, '/v3/auth/user/delete'),
    UserChangePassword: unary(
      etcdserverpb.AuthUserChangePasswordRequest,
      etcdserverpb.AuthUserChangePasswordResponse,
      '/v3/auth/user/changepw',
    ),
    UserGrantRole: unary(
      etcdserverpb.AuthUserGrantRoleRequest,
      etcdserverpb.AuthUserGrantRoleResponse,
      '/v3/auth/user/grant',
    ),
    UserRevokeRole: unary(
      etcdserverpb.AuthUserRevokeRoleRequest,
      etcdserverpb.AuthUserRevokeRoleResponse,
      '/v3/auth/user/revoke',
    ),
    RoleAdd: unary(etcdserverpb.AuthRoleAddRequest, etcdserverpb.AuthRoleAddResponse, '/v3/auth/role/add'),
    RoleGet: unary(etcdserverpb.AuthRoleGetRequest, etcdserverpb.AuthRoleGetResponse, '/v3/auth/role/get'),
    RoleList: unary(etcdserverpb.AuthRoleListRequest, etcdserverpb.AuthRoleListResponse, '/v3/auth/role/list'),
    RoleDelete: unary(etcdserverpb.AuthRoleDeleteRequest, etcdserverpb.AuthRoleDeleteResponse, '/v3/auth/role/delete'),
    RoleGrantPermission: unary(
      etcdserverpb.AuthRoleGrantPermissionRequest,
      etcdserverpb.AuthRoleGrantPermissionResponse,
      '/v3/auth/role/grant',
    ),
    RoleRevokePermission: unary(
      etcdserverpb.AuthRoleRevokePermissionRequest,
      etcdserverpb.AuthRoleRevokePermissionResponse,
      '/v3/auth/role/revoke',
    ),
  }),

  Lock: service('v3lockpb.Lock', {
    Lock: unary(v3lockpb.LockRequest, v3lockpb.LockResponse, '/v3/lock/lock'),
    Unlock: unary(v3lockpb.UnlockRequest, v3lockpb.UnlockResponse, '/v3/lock/unlock'),
  }),

  Election: service('v3electionpb.Election', {
    Campaign: unary(v3electionpb.CampaignRequest, v3electionpb.CampaignResponse, '/v3/election/campaign'),
    Proclaim: unary(v3electionpb.ProclaimRequest, v3electionpb.ProclaimResponse, '/v3/election/proclaim'),
    Leader: unary(v3electionpb.LeaderRequest, v3electionpb.LeaderResponse, '/v3/election/leader'),
    Observe: serverStream(v3electionpb.LeaderRequest, v3electionpb.LeaderResponse, '/v3/election/observe'),
    Resign: unary(v3electionpb.ResignRequest, v3electionpb.ResignResponse, '/v3/election/resign'),
  }),

  Health: service('grpc.health.v1.Health', {
    Check: unary(healthpb.HealthCheckRequest, healthpb.HealthCheckResponse),
    List: unary(healthpb.HealthListRequest, healthpb.HealthListResponse),
    Watch: serverStream(healthpb.HealthCheckRequest, healthpb.HealthCheckResponse),
  }),
} as const;

export type ServiceName = keyof typeof services;

/** All methods of all services, for routers and tables. */
export const allMethods: readonly AnyMethod[] = Object.values(services).flatMap(({ methods }): AnyMethod[] =>
  Object.values(methods),
);
