import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ApiError,
  apiError,
  apiErrorFromStatus,
  apiErrorWithoutCode,
  type ErrorSymbol,
  errorSymbolOf,
  errors,
  messageTooLarge,
  unknownMethod,
} from './errors.ts';
import { GrpcStatus, grpcStatusName, httpStatusOf } from './grpc-status.ts';

test('a row becomes an error and is found again by its text', () => {
  for (const symbol of Object.keys(errors) as ErrorSymbol[]) {
    const error = apiError(symbol);
    assert.ok(error instanceof ApiError && error instanceof Error);
    assert.deepEqual(
      [error.symbol, error.message, error.code],
      [symbol, errors[symbol].message, errors[symbol].sentCode],
    );
    assert.equal(errorSymbolOf(error.message), symbol, 'no text twice');
    assert.equal(apiErrorFromStatus(GrpcStatus.Unknown, error.message).symbol, symbol);
  }
  assert.equal(apiErrorFromStatus(GrpcStatus.Internal, 'what?').symbol, undefined);
});

test('two errors go out with another code than their table says', () => {
  assert.equal(apiError('ErrGRPCRequestTooManyRequests').code, GrpcStatus.Unknown);
  assert.equal(apiError('ErrGRPCRequestTooManyRequests').httpStatus, 500);
  assert.equal(apiError('ErrGRPCMemberNotEnoughStarted').code, GrpcStatus.Unknown);
  assert.equal(apiErrorWithoutCode('ErrGRPCLeaseNotFound').code, GrpcStatus.Unknown);
});

test('texts with parts', () => {
  assert.equal(messageTooLarge(5, 4).message, 'grpc: received message larger than max (5 vs. 4)');
  assert.equal(unknownMethod('Foo', 'etcdserverpb.KV').message, 'unknown method Foo for service etcdserverpb.KV');
});

test('names and HTTP statuses of gRPC codes', () => {
  assert.deepEqual(
    Object.values(GrpcStatus).map(httpStatusOf),
    [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401],
  );
  assert.equal(grpcStatusName(5), 'NotFound');
  assert.equal(grpcStatusName(99), 'Code(99)');
  assert.equal(httpStatusOf(99), 500);
});
