/** gRPC status numbers by their names in etcd's texts (`rpc error: code = NotFound desc = …`). */
export const GrpcStatus = {
  OK: 0,
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;

const names = Object.keys(GrpcStatus);

/** HTTP status of the JSON gateway for each gRPC status. */
const httpStatuses = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

/** `NotFound` for 5; `Code(99)` for a number without a name. */
export function grpcStatusName(code: number): string {
  return names[code] ?? `Code(${code})`;
}

/** What the JSON gateway answers for a gRPC status: 500 for a number it does not know. */
export function httpStatusOf(code: number): number {
  return httpStatuses[code] ?? 500;
}
