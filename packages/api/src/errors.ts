import { GrpcStatus, httpStatusOf } from './grpc-status.ts';

/** One error of the API: all that clients see of it. */
export interface ErrorRow {
  /** gRPC status of etcd's table. */
  readonly code: number;
  /** The exact text; clients match by it. */
  readonly message: string;
  readonly httpStatus: number;
  /** gRPC status that etcd 3.7.1 really sends: differs from `code` for two errors that its server fails to translate. */
  readonly sentCode: number;
}

function row(code: number, message: string, sentCode: number = code): ErrorRow {
  return { code, message, httpStatus: httpStatusOf(code), sentCode };
}

/** Errors of etcd's public table, under its symbols. */
const publicErrors = {
  ErrGRPCEmptyKey: row(GrpcStatus.InvalidArgument, 'etcdserver: key is not provided'),
  ErrGRPCKeyNotFound: row(GrpcStatus.InvalidArgument, 'etcdserver: key not found'),
  ErrGRPCValueProvided: row(GrpcStatus.InvalidArgument, 'etcdserver: value is provided'),
  ErrGRPCLeaseProvided: row(GrpcStatus.InvalidArgument, 'etcdserver: lease is provided'),
  ErrGRPCTooManyOps: row(GrpcStatus.InvalidArgument, 'etcdserver: too many operations in txn request'),
  ErrGRPCDuplicateKey: row(GrpcStatus.InvalidArgument, 'etcdserver: duplicate key given in txn request'),
  ErrGRPCInvalidClientAPIVersion: row(GrpcStatus.InvalidArgument, 'etcdserver: invalid client api version'),
  ErrGRPCInvalidSortOption: row(GrpcStatus.InvalidArgument, 'etcdserver: invalid sort option'),
  ErrGRPCCompacted: row(GrpcStatus.OutOfRange, 'etcdserver: mvcc: required revision has been compacted'),
  ErrGRPCFutureRev: row(GrpcStatus.OutOfRange, 'etcdserver: mvcc: required revision is a future revision'),
  ErrGRPCNoSpace: row(GrpcStatus.ResourceExhausted, 'etcdserver: mvcc: database space exceeded'),
  ErrGRPCLeaseNotFound: row(GrpcStatus.NotFound, 'etcdserver: requested lease not found'),
  ErrGRPCLeaseExist: row(GrpcStatus.FailedPrecondition, 'etcdserver: lease already exists'),
  ErrGRPCLeaseTTLTooLarge: row(GrpcStatus.OutOfRange, 'etcdserver: too large lease TTL'),
  ErrGRPCWatchCanceled: row(GrpcStatus.Canceled, 'etcdserver: watch canceled'),
  ErrGRPCMemberExist: row(GrpcStatus.FailedPrecondition, 'etcdserver: member ID already exist'),
  ErrGRPCPeerURLExist: row(GrpcStatus.FailedPrecondition, 'etcdserver: Peer URLs already exists'),
  ErrGRPCMemberNotEnoughStarted: row(
    GrpcStatus.FailedPrecondition,
    'etcdserver: re-configuration failed due to not enough started members',
    GrpcStatus.Unknown,
  ),
  ErrGRPCMemberBadURLs: row(GrpcStatus.InvalidArgument, 'etcdserver: given member URLs are invalid'),
  ErrGRPCMemberNotFound: row(GrpcStatus.NotFound, 'etcdserver: member not found'),
  ErrGRPCMemberNotLearner: row(GrpcStatus.FailedPrecondition, 'etcdserver: can only promote a learner member'),
  ErrGRPCLearnerNotReady: row(
    GrpcStatus.FailedPrecondition,
    'etcdserver: can only promote a learner member which is in sync with leader',
  ),
  ErrGRPCTooManyLearners: row(GrpcStatus.FailedPrecondition, 'etcdserver: too many learner members in cluster'),
  ErrGRPCClusterIDMismatch: row(GrpcStatus.FailedPrecondition, 'etcdserver: cluster ID mismatch'),
  ErrGRPCRequestTooLarge: row(GrpcStatus.InvalidArgument, 'etcdserver: request is too large'),
  ErrGRPCRequestTooManyRequests: row(GrpcStatus.ResourceExhausted, 'etcdserver: too many requests', GrpcStatus.Unknown),
  ErrGRPCRootUserNotExist: row(GrpcStatus.FailedPrecondition, 'etcdserver: root user does not exist'),
  ErrGRPCRootRoleNotExist: row(GrpcStatus.FailedPrecondition, 'etcdserver: root user does not have root role'),
  ErrGRPCUserAlreadyExist: row(GrpcStatus.FailedPrecondition, 'etcdserver: user name already exists'),
  ErrGRPCUserEmpty: row(GrpcStatus.InvalidArgument, 'etcdserver: user name is empty'),
  ErrGRPCUserNotFound: row(GrpcStatus.FailedPrecondition, 'etcdserver: user name not found'),
  ErrGRPCRoleAlreadyExist: row(GrpcStatus.FailedPrecondition, 'etcdserver: role name already exists'),
  ErrGRPCRoleNotFound: row(GrpcStatus.FailedPrecondition, 'etcdserver: role name not found'),
  ErrGRPCRoleEmpty: row(GrpcStatus.InvalidArgument, 'etcdserver: role name is empty'),
  ErrGRPCAuthFailed: row(GrpcStatus.InvalidArgument, 'etcdserver: authentication failed, invalid user ID or password'),
  ErrGRPCPermissionNotGiven: row(GrpcStatus.InvalidArgument, 'etcdserver: permission not given'),
  ErrGRPCPermissionDenied: row(GrpcStatus.PermissionDenied, 'etcdserver: permission denied'),
  ErrGRPCRoleNotGranted: row(GrpcStatus.FailedPrecondition, 'etcdserver: role is not granted to the user'),
  ErrGRPCPermissionNotGranted: row(GrpcStatus.FailedPrecondition, 'etcdserver: permission is not granted to the role'),
  ErrGRPCAuthNotEnabled: row(GrpcStatus.FailedPrecondition, 'etcdserver: authentication is not enabled'),
  ErrGRPCInvalidAuthToken: row(GrpcStatus.Unauthenticated, 'etcdserver: invalid auth token'),
  ErrGRPCInvalidAuthMgmt: row(GrpcStatus.InvalidArgument, 'etcdserver: invalid auth management'),
  ErrGRPCAuthOldRevision: row(GrpcStatus.InvalidArgument, 'etcdserver: revision of auth store is old'),
  ErrGRPCNoLeader: row(GrpcStatus.Unavailable, 'etcdserver: no leader'),
  ErrGRPCNotLeader: row(GrpcStatus.FailedPrecondition, 'etcdserver: not leader'),
  ErrGRPCLeaderChanged: row(GrpcStatus.Unavailable, 'etcdserver: leader changed'),
  ErrGRPCNotCapable: row(GrpcStatus.FailedPrecondition, 'etcdserver: not capable'),
  ErrGRPCStopped: row(GrpcStatus.Unavailable, 'etcdserver: server stopped'),
  ErrGRPCTimeout: row(GrpcStatus.Unavailable, 'etcdserver: request timed out'),
  ErrGRPCTimeoutDueToLeaderFail: row(
    GrpcStatus.Unavailable,
    'etcdserver: request timed out, possibly due to previous leader failure',
  ),
  ErrGRPCTimeoutDueToConnectionLost: row(
    GrpcStatus.Unavailable,
    'etcdserver: request timed out, possibly due to connection lost',
  ),
  ErrGRPCTimeoutWaitAppliedIndex: row(
    GrpcStatus.Unavailable,
    'etcdserver: request timed out, waiting for the applied index took too long',
  ),
  ErrGRPCUnhealthy: row(GrpcStatus.Unavailable, 'etcdserver: unhealthy cluster'),
  ErrGRPCCorrupt: row(GrpcStatus.DataLoss, 'etcdserver: corrupt cluster'),
  ErrGRPCNotSupportedForLearner: row(GrpcStatus.FailedPrecondition, 'etcdserver: rpc not supported for learner'),
  ErrGRPCBadLeaderTransferee: row(GrpcStatus.FailedPrecondition, 'etcdserver: bad leader transferee'),
  ErrGRPCWrongDowngradeVersionFormat: row(
    GrpcStatus.InvalidArgument,
    'etcdserver: wrong downgrade target version format',
  ),
  ErrGRPCInvalidDowngradeTargetVersion: row(GrpcStatus.InvalidArgument, 'etcdserver: invalid downgrade target version'),
  ErrGRPCClusterVersionUnavailable: row(
    GrpcStatus.FailedPrecondition,
    'etcdserver: cluster version not found during downgrade',
  ),
  ErrGRPCDowngradeInProcess: row(GrpcStatus.FailedPrecondition, 'etcdserver: cluster has a downgrade job in progress'),
  ErrGRPCNoInflightDowngrade: row(GrpcStatus.FailedPrecondition, 'etcdserver: no inflight downgrade job'),
  ErrGRPCCanceled: row(GrpcStatus.Canceled, 'etcdserver: request canceled'),
  ErrGRPCDeadlineExceeded: row(GrpcStatus.DeadlineExceeded, 'etcdserver: context deadline exceeded'),
} as const;

/** Fixed texts that a client can see besides, under symbols of ours. */
const otherErrors = {
  ContextCanceled: row(GrpcStatus.Canceled, 'context canceled'),
  ContextDeadlineExceeded: row(GrpcStatus.DeadlineExceeded, 'context deadline exceeded'),
  RangeStreamSortOrder: row(GrpcStatus.Unimplemented, 'RangeStream does not support custom sort orders'),
  RangeStreamRevisionFilter: row(GrpcStatus.Unimplemented, 'RangeStream does not support revision filters'),
  UnknownDowngradeAction: row(GrpcStatus.Unknown, 'etcdserver: unknown method'),
  PasswordForNoPasswordUser: row(
    GrpcStatus.Unknown,
    'auth: authentication failed, password was given for no password user',
  ),
  PasswordTooLong: row(GrpcStatus.Unknown, 'bcrypt: password length exceeds 72 bytes'),
  VerifyOnlyKey: row(GrpcStatus.Unknown, 'auth: token signing attempted with verify-only key'),
  ProposalDropped: row(GrpcStatus.Unknown, 'raft proposal dropped'),
  LeaderTransferTimeout: row(GrpcStatus.Unknown, 'etcdserver: request timed out, leader transfer took too long'),
  NotPrimaryLessor: row(GrpcStatus.Unknown, 'not a primary lessor'),
  ElectionLeaderNotProvided: row(GrpcStatus.Unknown, '"leader" field must be provided'),
  ElectionNoLeader: row(GrpcStatus.Unknown, 'election: no leader'),
  ElectionNotLeader: row(GrpcStatus.Unknown, 'election: not leader'),
  MutexSessionExpired: row(GrpcStatus.Unknown, 'mutex: session is expired'),
  HealthUnknownService: row(GrpcStatus.NotFound, 'unknown service'),
  HealthStreamEnded: row(GrpcStatus.Canceled, 'Stream has ended.'),
} as const;

/** All errors with a fixed text. */
export const errors = { ...publicErrors, ...otherErrors } as const;

export type ErrorSymbol = keyof typeof errors;

/** Texts of `WatchResponse.cancelReason`. An empty one goes with `compactRevision`. */
export const watchCancelReasons = {
  negativeRevision: publicErrors.ErrGRPCCompacted.message,
  invalidAuthToken: 'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token',
  authOldRevision: 'rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old',
  userEmpty: 'rpc error: code = InvalidArgument desc = etcdserver: user name is empty',
  permissionDenied: 'rpc error: code = PermissionDenied desc = etcdserver: permission denied',
  emptyRange: 'mvcc: watcher range is empty',
  duplicateWatchId: 'mvcc: duplicate watch ID provided on the WatchStream',
} as const;

/** A gRPC status other than OK, on either side of the wire. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** gRPC status number, as sent. */
  readonly code: number;
  /** Row of {@link errors}; undefined for a text that is not in the table. */
  readonly symbol: ErrorSymbol | undefined;

  constructor(code: number, message: string, symbol?: ErrorSymbol) {
    super(message);
    this.code = code;
    this.symbol = symbol;
  }

  /** HTTP status of the JSON gateway. */
  get httpStatus(): number {
    return httpStatusOf(this.code);
  }
}

/** The error of a row, with the status etcd really sends. */
export function apiError(symbol: ErrorSymbol): ApiError {
  const { sentCode, message } = errors[symbol];
  return new ApiError(sentCode, message, symbol);
}

/**
 * The same error as Lock and Election answer it: they call the key-value layer as a client does, and what it answers
 * loses its code on the way out.
 */
export function apiErrorWithoutCode(symbol: ErrorSymbol): ApiError {
  return new ApiError(GrpcStatus.Unknown, errors[symbol].message, symbol);
}

// The first row of a text wins; no text stands in the public table twice.
const symbolByMessage: ReadonlyMap<string, ErrorSymbol> = new Map(
  (Object.keys(errors) as ErrorSymbol[]).reverse().map((symbol) => [errors[symbol].message, symbol]),
);

/** The row of an exact text, whatever the code it came with: how etcd's own client finds its typed errors. */
export function errorSymbolOf(message: string): ErrorSymbol | undefined {
  return symbolByMessage.get(message);
}

/** A status that came over the wire. */
export function apiErrorFromStatus(code: number, message: string): ApiError {
  return new ApiError(code, message, errorSymbolOf(message));
}

/** A message above the limit; both in bytes. */
export function messageTooLarge(size: number, limit: number): ApiError {
  return new ApiError(GrpcStatus.ResourceExhausted, `grpc: received message larger than max (${size} vs. ${limit})`);
}

/** Request bytes that are not the message of the method. */
export function unmarshalFailed(detail: string): ApiError {
  return new ApiError(GrpcStatus.Internal, `grpc: error unmarshalling request: ${detail}`);
}

export function unknownService(service: string): ApiError {
  return new ApiError(GrpcStatus.Unimplemented, `unknown service ${service}`);
}

export function unknownMethod(method: string, service: string): ApiError {
  return new ApiError(GrpcStatus.Unimplemented, `unknown method ${method} for service ${service}`);
}
