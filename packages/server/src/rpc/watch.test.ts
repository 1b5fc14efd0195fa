import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { utf8FromBytes, utf8ToBytes } from '@quorate/base';
import type { StreamOptions, WatchCreate, WatchHub } from '@quorate/machine';
import type { GrpcServer, StreamCall, StreamHandler } from '@quorate/transport';
import { type MemberContext, OpenStreams } from './member-context.ts';
import { registerWatch } from './watch.ts';

/** A stream of a client whose token is of an entry that is applied when `apply` is called; `refusal` judges each watch. */
function openStream() {
  const log: string[] = [];
  let goOn: (() => void) | undefined;
  let isApplied = false;
  let handle: StreamHandler = () => {};
  let authorize: StreamOptions['authorize'];
  const server = {
    registerStream: (_path: string, handler: StreamHandler) => {
      handle = handler;
    },
  };
  const hub = {
    openStream: (_output: unknown, options: StreamOptions) => {
      authorize = options.authorize;
      return {
        create: (request: WatchCreate) => {
          const refused = authorize?.(request.key, request.rangeEnd);
          log.push(`create ${utf8FromBytes(request.key)}${refused === undefined ? '' : `: ${refused}`}`);
          return true;
        },
        requestProgress: () => log.push('progress') > 0,
        close: () => log.push('close'),
      };
    },
  };
  const access = {
    waits: (_call: unknown, then: () => void) => {
      if (!isApplied) goOn = then;
      return !isApplied;
    },
    permissions: { checkRange: (_identity: unknown, key: Uint8Array) => refusals[utf8FromBytes(key)] },
    refusal: (_call: unknown, check: (identity: unknown) => unknown) => check({}),
  };
  const streams = new OpenStreams();
  const member = { streams, access, isLearner: () => false, leader: () => 1n };
  let send: (bytes: Uint8Array) => void = () => {};
  let cancel: () => void = () => {};
  const call = {
    metadata: new Map(),
    onDrain() {},
    onEnd() {},
    onMessage: (callback: typeof send) => {
      send = callback;
    },
    onCancel: (callback: typeof cancel) => {
      cancel = callback;
    },
    sendHeaders() {},
    pause: () => log.push('pause'),
    resume: () => log.push('resume'),
    fail: (_code: number, message: string) => log.push(`fail ${message}`),
  };
  registerWatch(server as unknown as GrpcServer, member as unknown as MemberContext, hub as unknown as WatchHub);
  handle(call as unknown as StreamCall);
  return {
    log,
    streams,
    cancel: () => cancel(),
    create: (key: string) => {
      const createRequest = etcdserverpb.WatchCreateRequest.create({ key: utf8ToBytes(key) });
      const bytes = etcdserverpb.WatchRequest.encode(etcdserverpb.WatchRequest.create({ createRequest }));
      send(bytes);
      // The receive buffer is used again.
      bytes.fill(0);
    },
    askProgress: () => {
      const progressRequest = etcdserverpb.WatchProgressRequest.create();
      send(etcdserverpb.WatchRequest.encode(etcdserverpb.WatchRequest.create({ progressRequest })));
    },
    apply: () => {
      isApplied = true;
      goOn?.();
    },
  };
}

const refusals: Readonly<Record<string, string>> = {
  denied: 'ErrGRPCPermissionDenied',
  old: 'ErrGRPCAuthOldRevision',
  nobody: 'ErrGRPCUserEmpty',
  forged: 'ErrGRPCInvalidAuthToken',
  other: 'ErrGRPCUserNotFound',
};

test('requests of a client whose token is not known yet wait, in their order', () => {
  const stream = openStream();
  stream.create('a');
  stream.askProgress();
  assert.deepEqual(stream.log, ['pause']);
  stream.apply();
  stream.create('b');
  assert.deepEqual(stream.log, ['pause', 'resume', 'create a', 'progress', 'create b']);
});

test('a stream that ended meanwhile watches nothing', () => {
  const gone = openStream();
  gone.create('a');
  gone.cancel();
  gone.apply();
  assert.deepEqual(gone.log, ['pause', 'close', 'resume']);
  const stopped = openStream();
  stopped.create('a');
  stopped.streams.close('ErrGRPCStopped');
  stopped.apply();
  assert.deepEqual(stopped.log, ['pause', 'close', 'fail etcdserver: server stopped', 'resume']);
});

test('refusals in the texts that Go clients know', () => {
  const stream = openStream();
  stream.apply();
  for (const key of ['ok', ...Object.keys(refusals)]) stream.create(key);
  const denied = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
  assert.deepEqual(stream.log, [
    'create ok',
    `create denied: ${denied}`,
    'create old: rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old',
    'create nobody: rpc error: code = InvalidArgument desc = etcdserver: user name is empty',
    'create forged: rpc error: code = Unauthenticated desc = etcdserver: invalid auth token',
    `create other: ${denied}`,
  ]);
});
