/** gRPC status codes. */
export const GrpcStatus = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** Names as the `grpc_code` label of metrics has them, by code. */
export const grpcStatusNames: readonly string[] = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/** How a call that did not end with status 0 fails on the client's side. */
export class GrpcStatusError extends Error {
  /** {@link GrpcStatus}. */
  readonly code: number;
  /** The status message alone. */
  readonly details: string;

  constructor(code: number, details: string) {
    super(`${grpcStatusNames[code] ?? `Code(${code})`}: ${details}`);
    this.name = 'GrpcStatusError';
    this.code = code;
    this.details = details;
  }
}

/** The status a client reports for an HTTP/2 reset without trailers (gRPC over HTTP/2, "Errors"). */
export function statusOfReset(http2Code: number): number {
  switch (http2Code) {
    case 0x7:
      return GrpcStatus.unavailable;
    case 0x8:
      return GrpcStatus.cancelled;
    case 0xb:
      return GrpcStatus.resourceExhausted;
    case 0xc:
      return GrpcStatus.permissionDenied;
    default:
      return GrpcStatus.internal;
  }
}

/** The status a client reports for an HTTP answer that is not gRPC. */
export function statusOfHttp(httpStatus: number): number {
  switch (httpStatus) {
    case 400:
      return GrpcStatus.internal;
    case 401:
      return GrpcStatus.unauthenticated;
    case 403:
      return GrpcStatus.permissionDenied;
    case 404:
      return GrpcStatus.unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus.unavailable;
    default:
      return GrpcStatus.unknown;
  }
}
